DROP FUNCTION app.word_numbers(tsvector, text[]), app.search_chunks(uuid[], text[], real[], integer[], jsonb, integer, integer), app.search_words(text, text, integer);
DROP POLICY door ON chunks;
DROP POLICY door ON lexicon;
REVOKE SELECT (generation, metadata) ON documents FROM parley_door;
REVOKE SELECT (id, base_id, document_id, generation, tsv) ON chunks FROM parley_door;
REVOKE SELECT (language, word, chunks) ON lexicon FROM parley_door;
