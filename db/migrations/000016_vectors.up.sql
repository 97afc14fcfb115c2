-- Vectors of workspaces that have no vector database beside this one: see platform/vector. No extension is wanted, so a
-- search reads every vector of the collection in the workspace, and how many there may be is bounded.
CREATE TABLE vectors (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    collection   text NOT NULL,
    id           uuid NOT NULL,
    embedding    real[] NOT NULL, -- of length 1, so that the dot product of two is their cosine
    document_id  uuid NOT NULL,
    chunk        integer NOT NULL,
    content      text NOT NULL,
    labels       jsonb NOT NULL, -- {name: text}
    PRIMARY KEY (workspace_id, collection, id)
);
-- A search reads every embedding and few of the texts: where both do not fit into the row, it is the text that moves out.
ALTER TABLE vectors ALTER embedding SET STORAGE MAIN;
CREATE INDEX vectors_by_document ON vectors (workspace_id, collection, document_id);
SELECT app.wall('vectors');
GRANT SELECT, INSERT, DELETE, UPDATE (embedding, document_id, chunk, content, labels) ON vectors TO parley_app;

-- The dot product of two vectors. Not inlined, which measured a quarter quicker than the same in the query.
CREATE FUNCTION app.dot(a real[], b real[]) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.sum(pair.x OPERATOR(pg_catalog.*) pair.y) FROM ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b)) AS pair(x, y)
$$;
REVOKE EXECUTE ON FUNCTION app.dot FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.dot TO parley_app;
