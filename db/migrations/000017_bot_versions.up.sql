-- What follows reads and fills tables of workspaces, and the wall would keep their owner from that; it stands again below.
ALTER TABLE bots NO FORCE ROW LEVEL SECURITY;
ALTER TABLE bot_versions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE messages NO FORCE ROW LEVEL SECURITY;

-- The version that answers; the current one is the newest. Up to now they were the same.
ALTER TABLE bots ADD COLUMN published_version integer NOT NULL DEFAULT 1 CHECK (published_version >= 1);
UPDATE bots SET published_version = current_version;
SET CONSTRAINTS ALL IMMEDIATE; -- what the update left to the commit would be in the way of the next
ALTER TABLE bots ADD FOREIGN KEY (workspace_id, id, published_version)
    REFERENCES bot_versions (workspace_id, bot_id, version) DEFERRABLE INITIALLY DEFERRED;

-- Why a version was written.
ALTER TABLE bot_versions ADD COLUMN note text NOT NULL DEFAULT '' CHECK (char_length(note) <= 500);

-- Every move of a bot's pointers, never rewritten: who moved it, when, from where to where, and by what.
CREATE TABLE bot_pointer_moves (
    workspace_id uuid NOT NULL,
    bot_id       uuid NOT NULL,
    number       integer NOT NULL CHECK (number >= 1), -- the order of a bot's moves
    pointer      text NOT NULL CHECK (pointer IN ('current', 'published')),
    from_version integer, -- null: it is the first
    to_version   integer NOT NULL,
    cause        text NOT NULL CHECK (cause IN ('create', 'edit', 'rollback', 'publish')),
    moved_by     uuid NOT NULL,
    moved_at     timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, bot_id, number),
    FOREIGN KEY (workspace_id, bot_id, from_version) REFERENCES bot_versions (workspace_id, bot_id, version),
    FOREIGN KEY (workspace_id, bot_id, to_version) REFERENCES bot_versions (workspace_id, bot_id, version)
);
-- Up to now each version was published when it was written.
INSERT INTO bot_pointer_moves (workspace_id, bot_id, number, pointer, from_version, to_version, cause, moved_by, moved_at)
SELECT v.workspace_id, v.bot_id, 2 * v.version - p.back, p.pointer, nullif(v.version - 1, 0), v.version,
       CASE v.version WHEN 1 THEN 'create' ELSE 'edit' END, v.created_by, v.created_at
  FROM bot_versions v, (VALUES ('current', 1), ('published', 0)) AS p (pointer, back);
SELECT app.wall('bot_pointer_moves');
GRANT SELECT, INSERT ON bot_pointer_moves TO parley_app;

-- The version that answers is the published one; what is said to an archived bot is refused.
CREATE OR REPLACE VIEW app.live_versions WITH (security_invoker = true) AS
    SELECT b.workspace_id, b.id AS bot_id, v.version, v.instruction, v.settings, b.status
      FROM public.bots b
      JOIN public.bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.published_version;

-- The other side of app.require: makes what stands in the way an error.
CREATE FUNCTION app.refuse(why text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF why IS NOT NULL THEN
        RAISE EXCEPTION '%', why USING ERRCODE = 'PY409';
    END IF;
    RETURN false;
END $$;

ALTER TABLE threads
    ADD COLUMN title    text NOT NULL DEFAULT '' CHECK (char_length(title) <= 200),
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object');
-- It does not begin with workspace_id, or it would be taken for the primary key while the statistics are young.
CREATE INDEX threads_of_bot ON threads (bot_id, workspace_id, created_at DESC, id DESC) WHERE bot_id IS NOT NULL;

-- What each user thinks of an answer. The key is in the order in which a page of messages looks for it.
CREATE TABLE message_feedback (
    workspace_id uuid NOT NULL,
    thread_id    uuid NOT NULL,
    user_id      uuid NOT NULL,
    seq          bigint NOT NULL,
    rating       text NOT NULL CHECK (rating IN ('good', 'bad')),
    comment      text NOT NULL CHECK (char_length(comment) <= 2000),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, thread_id, user_id, seq),
    CONSTRAINT message_feedback_message_fkey FOREIGN KEY (workspace_id, thread_id, seq) REFERENCES messages (workspace_id, thread_id, seq)
);
SELECT app.wall('message_feedback');
GRANT SELECT, INSERT ON message_feedback TO parley_app;
GRANT UPDATE (rating, comment, updated_at) ON message_feedback TO parley_app;

ALTER TABLE bots FORCE ROW LEVEL SECURITY;
ALTER TABLE bot_versions FORCE ROW LEVEL SECURITY;
ALTER TABLE messages FORCE ROW LEVEL SECURITY;
