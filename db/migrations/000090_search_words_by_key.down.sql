CREATE OR REPLACE FUNCTION app.search_words(its_language text, query_words text, max_words integer) RETURNS TABLE (word text, instead_of text, chunks integer, weight real)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
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
