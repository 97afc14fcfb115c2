-- What a turn cost, and who really answered in it: provider and model are those of the start until it has ended.
ALTER TABLE llm_turns
    ADD COLUMN cached_tokens  integer, -- of the input
    ADD COLUMN first_token_ms integer,
    ADD COLUMN finish_reason  text;

-- Which models answer where a bot does not say; no row: MODEL_DEFAULT.
CREATE TABLE model_settings (
    workspace_id  uuid PRIMARY KEY REFERENCES workspaces (id),
    default_model text,
    fallbacks     text[] NOT NULL,
    updated_at    timestamptz NOT NULL
);
SELECT app.wall('model_settings');
GRANT SELECT, INSERT, UPDATE ON model_settings TO parley_app;

-- A workspace's own access to providers.
CREATE TABLE model_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    provider     text NOT NULL,
    sealed       bytea NOT NULL, -- AES-256-GCM, bound to workspace and provider
    last_four    text NOT NULL,
    base_url     text,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, provider)
);
SELECT app.wall('model_keys');
GRANT SELECT, INSERT, UPDATE, DELETE ON model_keys TO parley_app;
