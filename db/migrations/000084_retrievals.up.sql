-- What the searches of a turn have found in the knowledge bases of its bot. Rows are only added; they go where a file that they
-- quote is deleted, and with their workspace.
CREATE TABLE retrievals (
    workspace_id uuid NOT NULL,
    turn_id      uuid NOT NULL,
    number       smallint NOT NULL CHECK (number >= 1), -- of the search in its turn
    query        text NOT NULL,
    mode         text NOT NULL,
    degraded     boolean NOT NULL,
    candidates   jsonb NOT NULL, -- the best first; those that the model was given have a number and their text
    latency_ms   integer NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, turn_id, number),
    FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id)
);

-- The turns in whose retrievals a document is.
CREATE TABLE retrieved_documents (
    workspace_id uuid NOT NULL,
    document_id  uuid NOT NULL,
    turn_id      uuid NOT NULL,
    PRIMARY KEY (workspace_id, document_id, turn_id),
    FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id)
);
CREATE INDEX retrieved_documents_of_turn ON retrieved_documents (workspace_id, turn_id);
SELECT app.wall('retrievals'), app.wall('retrieved_documents'),
       app.keep_key_to('retrievals', 'app.sees_turn(turn_id)'), app.keep_key_to('retrieved_documents', 'app.sees_turn(turn_id)');
GRANT SELECT, INSERT, DELETE ON retrievals, retrieved_documents TO parley_app;
