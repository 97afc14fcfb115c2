-- Tools of MCP servers. A version has the hash of the definition that the server must have; another one waits for a review.
ALTER TABLE tools NO FORCE ROW LEVEL SECURITY; -- a new check reads the table
ALTER TABLE tools DROP CONSTRAINT tools_kind_check, ADD CONSTRAINT tools_kind_check CHECK (kind IN ('http', 'mcp', 'client'));
ALTER TABLE tools FORCE ROW LEVEL SECURITY;

ALTER TABLE tool_versions
    ADD COLUMN remote_name text NOT NULL DEFAULT '',     -- on the MCP server; empty, as the next one, for other kinds
    ADD COLUMN definition_hash text NOT NULL DEFAULT ''; -- SHA-256 of the definition there

-- The definition that the server of a tool had last, where it is not that of the newest version.
CREATE TABLE tool_reviews (
    workspace_id uuid NOT NULL,
    tool_id      uuid NOT NULL,
    status       text NOT NULL CHECK (status IN ('waiting', 'rejected')),
    hash         text NOT NULL,
    description  text NOT NULL,
    schema       text,          -- NULL: it is too large
    effect       text NOT NULL CHECK (effect IN ('read', 'write')), -- that the server suggests
    problem      text NOT NULL, -- why it cannot be a tool; empty: it can
    found_at     timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, tool_id),
    FOREIGN KEY (workspace_id, tool_id) REFERENCES tools (workspace_id, id) ON DELETE CASCADE
);
SELECT app.wall('tool_reviews');
SELECT app.let_key_read('tool_reviews', 'coalesce(tool_id = ANY ((SELECT app.known_tools())::uuid[]), false)');
GRANT SELECT, INSERT, DELETE, UPDATE (status, hash, description, schema, effect, problem, found_at) ON tool_reviews TO parley_app;
