-- The chunks of bases that have a word, with scores from 0 to 1. words, weights and counts are as app.search_words gives them, the
-- rarest first. Chunks are looked at that have one of the rarest words: as many words as are in max_seen chunks together, and
-- max_seen chunks at the most. filter is {name: [values]}, of which a document must have one of each.
CREATE OR REPLACE FUNCTION app.search_chunks(bases uuid[], words text[], weights real[], counts integer[], filter jsonb, max_seen integer, max_rows integer)
    RETURNS TABLE (chunk_id uuid, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    queries   tsquery[] := ARRAY(SELECT ('''' || replace(replace(w, '\', '\\'), '''', '''''') || '''')::tsquery FROM unnest(words) w);
    needed    tsquery;
    seen      bigint := 0;
    whole     real := (SELECT sum(w) FROM unnest(weights) w);
BEGIN
    FOR i IN 1 .. cardinality(words) LOOP
        EXIT WHEN i > 1 AND seen + counts[i] > max_seen;
        needed := CASE WHEN needed IS NULL THEN queries[i] ELSE needed || queries[i] END;
        seen := seen + counts[i];
    END LOOP;
    IF needed IS NULL OR whole <= 0 OR cardinality(bases) = 0 THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT m.id, (r.rank / whole)::real
      FROM (SELECT c.id, c.tsv || ''::tsvector AS tsv -- unpacked once, not for each word
              FROM public.chunks c
              JOIN public.documents d ON d.workspace_id = c.workspace_id AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting'
             WHERE c.workspace_id = workspace AND (cardinality(bases) > 1 OR c.base_id = bases[1]) AND c.base_id = ANY (bases) AND c.tsv @@ needed
               AND (filter = '{}' OR NOT EXISTS (SELECT FROM jsonb_each(filter) f WHERE NOT coalesce(f.value @> (d.metadata -> f.key), false)))
             LIMIT max_seen) m
     CROSS JOIN LATERAL (SELECT sum(w.weight * ts_rank(m.tsv, w.query, 1)) AS rank FROM unnest(queries, weights) w(query, weight)) r
     ORDER BY r.rank DESC, m.id
     LIMIT max_rows;
END $$;
