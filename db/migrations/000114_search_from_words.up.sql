-- As before, but always from the words to the chunks to their documents, by LATERAL and OFFSET 0, which the planner does not take apart.
-- In the first minutes after a base was filled nothing is known of its size, and the planner went through all documents of the workspace.
CREATE OR REPLACE FUNCTION app.search_chunks(bases uuid[], words text[], weights real[], counts integer[], filter jsonb, max_seen integer, max_rows integer)
    RETURNS TABLE (chunk_id uuid, score real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    queries   tsquery[] := ARRAY(SELECT ('''' || replace(replace(w, '\', '\\'), '''', '''''') || '''')::tsquery FROM unnest(words) w);
    whole     real := (SELECT sum(w) FROM unnest(weights) w);
    n         integer := cardinality(words);
    rare      integer := 0; -- words in few chunks, which are all looked at
    total     bigint := 0;
    step      tsquery;
    steps     tsquery[] := '{}';
    done      tsquery;
    found     integer := 0;
    its_rows  integer;
BEGIN
    IF coalesce(n, 0) = 0 OR whole <= 0 OR cardinality(bases) = 0 THEN
        RETURN;
    END IF;
    WHILE rare < n AND total + counts[rare + 1] <= max_seen LOOP
        rare := rare + 1;
        total := total + counts[rare];
        step := CASE WHEN rare = 1 THEN queries[1] ELSE step || queries[rare] END;
    END LOOP;
    IF rare > 0 THEN
        steps := ARRAY[step];
    END IF;
    FOR i IN REVERSE least(n, rare + 4) .. rare + 2 LOOP
        step := queries[rare + 1];
        FOR j IN rare + 2 .. i LOOP
            step := step && queries[j];
        END LOOP;
        steps := steps || step;
    END LOOP;
    steps := steps || queries[rare + 1:];
    FOREACH step IN ARRAY steps LOOP
        RETURN QUERY
        SELECT m.id, (r.rank / whole / sqrt(1 + length(m.tsv) / 10.0))::real AS score
          FROM (SELECT c.id, c.tsv
                  FROM (SELECT c.id, c.tsv, c.document_id, c.generation
                          FROM public.chunks c
                         WHERE c.workspace_id = workspace AND (cardinality(bases) > 1 OR c.base_id = bases[1]) AND c.base_id = ANY (bases)
                           AND c.tsv @@ step AND (done IS NULL OR NOT c.tsv @@ done)
                        OFFSET 0) c
                 CROSS JOIN LATERAL (SELECT d.metadata FROM public.documents d
                                      WHERE d.workspace_id = workspace AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting'
                                     OFFSET 0) d
                 WHERE filter = '{}' OR NOT EXISTS (SELECT FROM jsonb_each(filter) f WHERE NOT coalesce(f.value @> (d.metadata -> f.key), false))
                 LIMIT max_seen) m
         CROSS JOIN LATERAL (SELECT sum(w.weight * ts_rank('{0.1, 0.2, 0.9, 1}', m.tsv, w.query)) AS rank FROM unnest(queries, weights) w(query, weight)) r
         ORDER BY 2 DESC, m.id
         LIMIT max_rows - found;
        GET DIAGNOSTICS its_rows = ROW_COUNT;
        found := found + its_rows;
        EXIT WHEN found >= max_rows;
        done := CASE WHEN done IS NULL THEN step ELSE done || step END;
    END LOOP;
END $$;

-- What was written last is in a list that each search reads as a whole: of 4 MB before, which the planner counts as seeks.
ALTER INDEX public.chunks_search SET (gin_pending_list_limit = 1024);
ALTER INDEX public.lexicon_similar SET (gin_pending_list_limit = 1024);
