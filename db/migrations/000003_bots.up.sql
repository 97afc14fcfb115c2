CREATE TABLE bots (
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    id              uuid NOT NULL,
    name            text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    status          text NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    current_version integer NOT NULL CHECK (current_version >= 1),
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX bots_newest ON bots (workspace_id, created_at DESC, id DESC);
GRANT SELECT, INSERT, UPDATE ON bots TO parley_app;

-- What a bot was told, never rewritten.
CREATE TABLE bot_versions (
    workspace_id uuid NOT NULL,
    bot_id       uuid NOT NULL,
    version      integer NOT NULL CHECK (version >= 1),
    instruction  text NOT NULL CHECK (char_length(instruction) <= 50000),
    settings     jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, bot_id, version),
    FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id)
);
GRANT SELECT, INSERT ON bot_versions TO parley_app;

-- The version that a bot points at is there at the end of every transaction.
ALTER TABLE bots ADD FOREIGN KEY (workspace_id, id, current_version)
    REFERENCES bot_versions (workspace_id, bot_id, version) DEFERRABLE INITIALLY DEFERRED;

-- After that, for a foreign key is added by a query, which the wall hides the rows from when an owner adds it who is
-- no superuser: row_security = off then makes it an error.
SELECT app.wall('bots');
SELECT app.wall('bot_versions');

-- What the SQL of other modules may see of bots: the version that answers now, and every version ever.
-- With security_invoker the tenant wall of the tables beneath holds for whoever asks.
CREATE VIEW app.live_versions WITH (security_invoker = true) AS
    SELECT b.workspace_id, b.id AS bot_id, v.version, v.instruction, v.settings
      FROM public.bots b
      JOIN public.bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.current_version;
CREATE VIEW app.versions WITH (security_invoker = true) AS
    SELECT workspace_id, bot_id, version, instruction, settings FROM public.bot_versions;
GRANT SELECT ON app.live_versions, app.versions TO parley_app;
