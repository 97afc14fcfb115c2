-- The chunks of bases that are likest to a query, with scores from 0 to 1. words, weights and counts are as app.search_words gives them,
-- the rarest first. A score is the sum of ts_rank of each word times its weight, less for a longer chunk. A word in a heading counts
-- little more than one in the text: else any chunk below a fitting heading is before the one that has the answer.
-- At first chunks are looked at that have one of the rarest words: as many words as are in max_seen chunks together. Where these are
-- fewer than max_rows, chunks that have several of the other words follow, then those that have one, max_seen at the most.
-- filter is {name: [values]}, of which a document must have one of each.
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
                  FROM public.chunks c
                  JOIN public.documents d ON d.workspace_id = c.workspace_id AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting'
                 WHERE c.workspace_id = workspace AND (cardinality(bases) > 1 OR c.base_id = bases[1]) AND c.base_id = ANY (bases)
                   AND c.tsv @@ step AND (done IS NULL OR NOT c.tsv @@ done)
                   AND (filter = '{}' OR NOT EXISTS (SELECT FROM jsonb_each(filter) f WHERE NOT coalesce(f.value @> (d.metadata -> f.key), false)))
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
