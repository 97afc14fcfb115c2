CREATE TABLE threads (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    bot_id       uuid,
    status       text NOT NULL CHECK (status IN ('active', 'archived')),
    last_seq     bigint NOT NULL DEFAULT 0, -- the highest message number given out
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT threads_bot_fkey FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id)
) WITH (fillfactor = 90);
CREATE INDEX threads_newest ON threads (workspace_id, created_at DESC, id DESC);
SELECT app.wall('threads');
GRANT SELECT, INSERT, UPDATE ON threads TO parley_app;

CREATE TABLE llm_turns (
    workspace_id  uuid NOT NULL,
    id            uuid NOT NULL,
    thread_id     uuid NOT NULL,
    actor_id      uuid NOT NULL,
    operation_id  uuid NOT NULL,
    bot_id        uuid,
    bot_version   integer,
    provider      text NOT NULL,
    model         text NOT NULL,
    status        text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    user_seq      bigint NOT NULL, -- the number of its user message; the answer has the next one
    attempt       integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    lease_until   timestamptz NOT NULL, -- until then the attempt is believed to be alive
    input_tokens  integer,
    output_tokens integer,
    latency_ms    integer,
    error         text,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    PRIMARY KEY (workspace_id, id),
    -- operation_id first: an index that begins like the primary key is taken in its place while the statistics are young,
    -- and then every look at one turn reads all those of the workspace
    CONSTRAINT llm_turns_operation_key UNIQUE (operation_id, actor_id, workspace_id),
    FOREIGN KEY (workspace_id, thread_id) REFERENCES threads (workspace_id, id),
    FOREIGN KEY (workspace_id, bot_id, bot_version) REFERENCES bot_versions (workspace_id, bot_id, version),
    CHECK ((bot_id IS NULL) = (bot_version IS NULL)),
    CHECK ((status = 'running') = (finished_at IS NULL))
) WITH (fillfactor = 80);
-- One running turn a thread.
CREATE UNIQUE INDEX llm_turns_one_running ON llm_turns (workspace_id, thread_id) WHERE status = 'running';
SELECT app.wall('llm_turns');
GRANT SELECT, INSERT, UPDATE ON llm_turns TO parley_app;

CREATE TABLE messages (
    workspace_id uuid NOT NULL,
    id           uuid NOT NULL,
    thread_id    uuid NOT NULL,
    turn_id      uuid,
    seq          bigint NOT NULL CHECK (seq >= 1),
    role         text NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content      text NOT NULL,
    operation_id uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT messages_seq_key UNIQUE (workspace_id, thread_id, seq),
    CONSTRAINT messages_turn_role_key UNIQUE (workspace_id, turn_id, role),
    FOREIGN KEY (workspace_id, thread_id) REFERENCES threads (workspace_id, id),
    FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id)
);
SELECT app.wall('messages');
GRANT SELECT, INSERT ON messages TO parley_app;
