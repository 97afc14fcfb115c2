-- Limits of chunks and of bytes of text were checked before documents were indexed, and counted when they were complete: several that
-- were indexed at once could go beyond them together.

-- Checks that a document may have so many chunks and bytes of text, with those of all others of the workspace, and returns the first
-- limit that is in the way. Documents that are indexed count with what they will have, so whoever stores that in the same transaction
-- has it reserved. Others wait until its end. A document may always have less than now. max_chunks and max_bytes hold where the
-- workspace has no limits of its own; 0: none.
CREATE FUNCTION app.reserve_knowledge(workspace uuid, document uuid, new_chunks bigint, new_bytes bigint, max_chunks bigint, max_bytes bigint)
    RETURNS TABLE (metric text, most bigint, used bigint)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    chunk_limit bigint := coalesce((SELECT o.most FROM public.workspace_limits o WHERE o.workspace_id = workspace AND o.metric = 'chunks'), max_chunks);
    byte_limit  bigint := coalesce((SELECT o.most FROM public.workspace_limits o WHERE o.workspace_id = workspace AND o.metric = 'knowledge_bytes'), max_bytes);
    others record;
    own    record;
BEGIN
    IF chunk_limit = 0 AND byte_limit = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('chunks of ' || workspace, 0)); -- as app.make_room does
    SELECT d.chunks, d.text_bytes INTO own FROM public.documents d WHERE d.workspace_id = workspace AND d.id = document;
    SELECT coalesce(sum(greatest(d.chunks, b.chunks)), 0) AS chunks, coalesce(sum(greatest(d.text_bytes, b.bytes)), 0) AS bytes INTO others
      FROM public.documents d
      LEFT JOIN LATERAL (SELECT d.chunks_total AS chunks, octet_length(t.text) AS bytes FROM public.document_texts t
                          WHERE t.workspace_id = workspace AND t.document_id = d.id AND t.generation = d.building
                            AND d.status IN ('chunking', 'embedding')) b ON true
     WHERE d.workspace_id = workspace AND d.id <> document AND d.status <> 'deleting';
    IF chunk_limit > 0 AND new_chunks > own.chunks AND others.chunks + new_chunks > chunk_limit THEN
        RETURN QUERY SELECT 'chunks', chunk_limit, others.chunks::bigint + own.chunks;
    ELSIF byte_limit > 0 AND new_bytes > own.text_bytes AND others.bytes + new_bytes > byte_limit THEN
        RETURN QUERY SELECT 'knowledge_bytes', byte_limit, others.bytes::bigint + own.text_bytes;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION app.reserve_knowledge(uuid, uuid, bigint, bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.reserve_knowledge(uuid, uuid, bigint, bigint, bigint, bigint) TO parley_app;
