-- An API key that is limited to some bots finds what those bots know: it sees the knowledge bases that they name, and makes, changes
-- and removes nothing in them.

-- The knowledge bases that the latest and the published version of the bots of the transaction's key name. Archived bots take no
-- turns, and lend nothing to a key.
CREATE FUNCTION app.known_bases() RETURNS uuid[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT (k.base ->> 'id')::uuid
          FROM app.bot_knowledge b
         CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(b.bases) WHEN 'array' THEN b.bases ELSE '[]' END) k(base)
         WHERE b.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND b.bot_id = ANY (nullif(current_setting('app.bots', true), '')::uuid[]) AND b.status <> 'archived'
           AND k.base ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
END $$;

-- Whether the transaction's key sees a document: as the policy of documents has it.
CREATE FUNCTION app.sees_document(document uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.documents d
                    WHERE d.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND d.id = document);
END $$;

-- Raises, as the transaction's key is limited to some bots.
CREATE FUNCTION app.refuse_key() RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = current_setting('app.role');
END $$;

-- Lets a key that is limited to some bots read the rows for which a condition holds, and write none. For everybody else it is one
-- comparison. A subquery in the condition that asks nothing of the row is evaluated once in a statement.
CREATE FUNCTION app.let_key_read(tab regclass, condition text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    whole text := $sql$CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE %s END$sql$;
BEGIN
    EXECUTE format('CREATE POLICY key_bots ON %s AS RESTRICTIVE TO parley_app USING (%s) WITH CHECK (%s)',
                   tab, format(whole, condition), format(whole, 'app.refuse_key()'));
    -- whose rows no WITH CHECK sees
    EXECUTE format('CREATE POLICY key_bots_delete ON %s AS RESTRICTIVE FOR DELETE TO parley_app USING (%s)', tab, format(whole, 'app.refuse_key()'));
END $$;

-- Of words, those that chunks of bases have which the caller may read, in how many: a key that is limited to some bots learns no
-- word of other documents by them, counted up to 1,000. For everybody else the words and counts are as they were given.
CREATE FUNCTION app.readable_words(bases uuid[], words text[], counts integer[]) RETURNS TABLE (word text, chunks integer)
    LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    IF coalesce(current_setting('app.bots', true), '') = '' THEN
        RETURN QUERY SELECT w.word, w.chunks FROM unnest(words, counts) w(word, chunks);
        RETURN;
    END IF;
    RETURN QUERY
    SELECT w.word, n.chunks FROM unnest(words) w(word)
     CROSS JOIN LATERAL (SELECT count(*)::integer AS chunks
                           FROM app.search_chunks(bases, ARRAY[w.word], ARRAY[1]::real[], ARRAY[1], '{}', 1000, 1000) f
                           JOIN public.chunks c ON c.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND c.id = f.chunk_id) n
     WHERE n.chunks > 0;
END $$;

REVOKE EXECUTE ON FUNCTION app.known_bases(), app.sees_document(uuid), app.refuse_key(), app.let_key_read(regclass, text),
    app.readable_words(uuid[], text[], integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.known_bases(), app.sees_document(uuid), app.refuse_key(), app.readable_words(uuid[], text[], integer[]) TO parley_app;

-- All are locked at once or none, as jobs go on meanwhile.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOOP
        BEGIN
            LOCK TABLE knowledge_bases, documents, document_texts, chunks;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', true);
END $$;

DROP POLICY key_bots ON knowledge_bases;
DROP POLICY key_bots ON documents;
DROP POLICY key_bots ON document_texts;
DROP POLICY key_bots ON chunks;
SELECT app.let_key_read('knowledge_bases', 'coalesce(id = ANY ((SELECT app.known_bases())::uuid[]), false)'),
       app.let_key_read('documents', 'coalesce(base_id = ANY ((SELECT app.known_bases())::uuid[]), false)'),
       app.let_key_read('chunks', 'coalesce(base_id = ANY ((SELECT app.known_bases())::uuid[]), false)'),
       app.let_key_read('document_texts', 'app.sees_document(document_id)');
