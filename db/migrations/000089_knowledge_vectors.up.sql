-- Embeddings of chunks: which generations of documents have vectors, of which model, and vectors of texts that were embedded before.

GRANT UPDATE (embedding_model) ON knowledge_bases TO parley_app;

-- A generation of a document that has vectors in the vector store, or may have some. A row is there before the first of its vectors,
-- and until they are removed: also when its document is gone.
CREATE TABLE document_vectors (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    document_id  uuid NOT NULL,
    generation   integer NOT NULL,
    base_id      uuid NOT NULL,
    model        text NOT NULL,
    dimensions   integer NOT NULL CHECK (dimensions > 0),
    created_at   timestamptz NOT NULL,
    removed_at   timestamptz, -- since when its vectors are removed; whoever was about to store some may do so shortly after
    PRIMARY KEY (workspace_id, document_id, generation)
);
CREATE INDEX document_vectors_of_base ON document_vectors (workspace_id, base_id, model, dimensions) WHERE removed_at IS NULL;

-- Vectors of texts that were embedded before, so that a text is paid for once in a workspace.
CREATE TABLE embedding_cache (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32), -- SHA-256 of the model, the settings and the text
    embedding    real[] NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, hash)
);
ALTER TABLE embedding_cache ALTER embedding SET STORAGE EXTERNAL;
CREATE INDEX embedding_cache_oldest ON embedding_cache (workspace_id, created_at);

SELECT app.wall('document_vectors'), app.wall('embedding_cache');
SELECT app.close_to_limited_keys('embedding_cache');
GRANT SELECT, INSERT, DELETE, UPDATE (removed_at) ON document_vectors TO parley_app;
GRANT SELECT, INSERT, DELETE ON embedding_cache TO parley_app;

-- Documents with vectors that nothing is found by any more, of all workspaces.
GRANT SELECT (workspace_id, document_id, generation, created_at, removed_at) ON document_vectors TO parley_door;
CREATE POLICY door ON document_vectors FOR SELECT TO parley_door USING (true);
CREATE FUNCTION app.locate_old_vectors(older_seconds double precision, max_rows integer) RETURNS TABLE (workspace_id uuid, document_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT v.workspace_id, v.document_id
      FROM public.document_vectors v
     WHERE coalesce(v.removed_at, v.created_at) < now() - older_seconds * interval '1 second'
       AND (v.removed_at IS NOT NULL
            OR NOT EXISTS (SELECT FROM public.documents d
                            WHERE d.workspace_id = v.workspace_id AND d.id = v.document_id AND d.status <> 'deleting' AND v.generation IN (d.generation, d.building)))
     LIMIT max_rows
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_old_vectors(double precision, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_old_vectors(double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_old_vectors(double precision, integer) TO parley_app;
