DROP FUNCTION app.locate_old_vectors(double precision, integer);
DROP TABLE embedding_cache, document_vectors;
REVOKE UPDATE (embedding_model) ON knowledge_bases FROM parley_app;
