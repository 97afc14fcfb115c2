-- Files that were uploaded. Their bytes are in the blob store, under <workspace_id>/<id>.
CREATE TABLE files (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    content_type text NOT NULL,
    size         bigint NOT NULL CHECK (size >= 1),
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX files_newest ON files (workspace_id, created_at DESC, id DESC);
SELECT app.wall('files');
GRANT SELECT, INSERT, DELETE ON files TO parley_app;
