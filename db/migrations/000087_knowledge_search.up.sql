-- Search by words. Row-level security would keep the GIN indexes from being used, as @@ and % may tell of rows that the policy hides:
-- these functions look at the rows of the transaction's workspace alone, and what they find is read under the policy.

GRANT SELECT (language, word, chunks) ON lexicon TO parley_door;
GRANT SELECT (id, base_id, document_id, generation, tsv) ON chunks TO parley_door;
GRANT SELECT (generation, metadata) ON documents TO parley_door;
CREATE POLICY door ON lexicon FOR SELECT TO parley_door USING (true);
CREATE POLICY door ON chunks FOR SELECT TO parley_door USING (true);

-- The stems of the words of a query, the rarest first, with their weights. A stem that no chunk has is replaced by those most
-- like it. Only max_words have a weight, those with the highest.
CREATE FUNCTION app.search_words(its_language text, query_words text, max_words integer) RETURNS TABLE (word text, instead_of text, chunks integer, weight real)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    all_chunks real := (SELECT l.chunks FROM public.lexicon l WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = '');
    stem text;
    stems text[] := tsvector_to_array(to_tsvector(its_language::regconfig, query_words));
    missing text[];
    alike jsonb := '[]';
BEGIN
    IF all_chunks IS NULL THEN
        RETURN;
    END IF;
    missing := ARRAY(SELECT s FROM unnest(stems) s
                      WHERE NOT EXISTS (SELECT FROM public.lexicon l WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = s)
                        AND char_length(s) >= 4 AND s !~ '[0-9]' LIMIT max_words);
    IF cardinality(missing) > 0 THEN
        PERFORM set_config('pg_trgm.similarity_threshold', '0.25', true);
        FOREACH stem IN ARRAY missing LOOP
            alike := alike || coalesce((
                SELECT jsonb_agg(jsonb_build_object('word', a.word, 'instead_of', stem, 'chunks', a.chunks, 'part', a.part))
                  FROM (SELECT l.word, l.chunks, ext.similarity(l.word, stem) AS part FROM public.lexicon l
                         WHERE l.workspace_id = workspace AND l.language = its_language AND l.word OPERATOR(ext.%) stem
                           AND abs(char_length(l.word) - char_length(stem)) <= 2
                         ORDER BY part DESC, l.chunks DESC, l.word LIMIT 3) a), '[]');
        END LOOP;
    END IF;
    RETURN QUERY
    WITH known AS (
        SELECT l.word, NULL::text AS instead_of, l.chunks, 1::real AS part FROM public.lexicon l
         WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = ANY (stems) AND l.word <> ''
        UNION ALL
        SELECT a.word, a.instead_of, a.chunks, a.part FROM jsonb_to_recordset(alike) AS a(word text, instead_of text, chunks integer, part real)
    ), weighed AS (
        SELECT DISTINCT ON (k.word) k.word, k.instead_of, k.chunks, (k.part * ln(1 + (greatest(all_chunks - k.chunks, 0) + 0.5) / (k.chunks + 0.5)))::real AS weight
          FROM known k ORDER BY k.word, k.part DESC
    )
    SELECT w.word, w.instead_of, w.chunks, CASE WHEN row_number() OVER (ORDER BY w.weight DESC, w.word) <= max_words THEN w.weight ELSE 0 END::real
      FROM weighed w ORDER BY w.weight DESC, w.word;
END $$;

-- The chunks of bases that have a word, with scores from 0 to 1. words, weights and counts are as app.search_words gives them, the
-- rarest first. Chunks are looked at that have one of the rarest words: as many words as are in max_seen chunks together, and
-- max_seen chunks at the most. filter is {name: [values]}, of which a document must have one of each.
CREATE FUNCTION app.search_chunks(bases uuid[], words text[], weights real[], counts integer[], filter jsonb, max_seen integer, max_rows integer)
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

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.search_words(text, text, integer) OWNER TO parley_door;
ALTER FUNCTION app.search_chunks(uuid[], text[], real[], integer[], jsonb, integer, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.search_words(text, text, integer), app.search_chunks(uuid[], text[], real[], integer[], jsonb, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.search_words(text, text, integer), app.search_chunks(uuid[], text[], real[], integer[], jsonb, integer, integer) TO parley_app;

-- Which words of the text of a chunk are among some stems: their numbers from 1 on. Headings stand before the text in tsv.
CREATE FUNCTION app.word_numbers(tsv tsvector, stems text[]) RETURNS integer[]
    LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(p.position - h.last ORDER BY p.position), '{}')
      FROM (SELECT coalesce(max(a.position), 0) AS last FROM unnest(tsv) u, unnest(u.positions, u.weights) a(position, weight) WHERE a.weight = 'A') h,
           unnest(tsv) u, unnest(u.positions, u.weights) p(position, weight)
     WHERE u.lexeme = ANY (stems) AND p.weight = 'B'
$$;
REVOKE EXECUTE ON FUNCTION app.word_numbers(tsvector, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.word_numbers(tsvector, text[]) TO parley_app;
