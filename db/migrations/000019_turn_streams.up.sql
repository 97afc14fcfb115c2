-- What a streamed turn says, in batches, so that a stream can be taken up again, in another process too. Only turns that
-- are streamed write here. The batches go a day after their turn: then its rows alone tell what was said.
CREATE TABLE turn_events (
    workspace_id uuid NOT NULL,
    turn_id      uuid NOT NULL,
    attempt      integer NOT NULL,
    first        integer NOT NULL CHECK (first >= 0), -- the number, within the attempt, of the first of its pieces
    pieces       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, turn_id, attempt, first),
    FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns (workspace_id, id)
);
CREATE INDEX turn_events_by_age ON turn_events USING brin (created_at) WITH (autosummarize = on);
SELECT app.wall('turn_events');
GRANT SELECT, INSERT, UPDATE (pieces) ON turn_events TO parley_app;

-- What callers are told of an attempt that failed, and who wants an attempt to be cancelled.
ALTER TABLE llm_turns
    ADD COLUMN error_code       text,
    ADD COLUMN error_message    text,
    ADD COLUMN cancel_attempt   integer,
    ADD COLUMN cancel_operation uuid;

-- Of a turn that was cancelled the text so far is kept, as a message that says so.
ALTER TABLE messages ADD COLUMN status text NOT NULL DEFAULT 'completed' CHECK (status IN ('completed', 'cancelled'));

GRANT SELECT (workspace_id, turn_id, attempt, first, created_at), DELETE ON turn_events TO parley_door;
CREATE POLICY door ON turn_events TO parley_door USING (true) WITH CHECK (true);
-- No turn is running for a day, so what is older has ended.
CREATE FUNCTION app.expire_turn_events(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    WITH old AS (
        SELECT e.workspace_id, e.turn_id, e.attempt, e.first FROM public.turn_events e
         WHERE e.created_at < now() - interval '25 hours' LIMIT most
    )
    DELETE FROM public.turn_events e
     USING old WHERE (e.workspace_id, e.turn_id, e.attempt, e.first) = (old.workspace_id, old.turn_id, old.attempt, old.first);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.expire_turn_events(integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.expire_turn_events(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.expire_turn_events(integer) TO parley_app;
