-- The processes that run turns. Each says every few seconds that it lives, so that the turns of one that was killed are found
-- soon, without a write for each turn that runs. All times are the database's.
CREATE TABLE turn_processes (
    id          uuid PRIMARY KEY,
    lease_until timestamptz NOT NULL -- until then it is believed to live
) WITH (fillfactor = 50);
ALTER TABLE turn_processes ENABLE ROW LEVEL SECURITY;
ALTER TABLE turn_processes FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON turn_processes TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON turn_processes TO parley_door;

-- Who runs the attempt; null: a process of the release before, whose turns wait for lease_until.
ALTER TABLE llm_turns ADD COLUMN process_id uuid;
GRANT UPDATE (lease_until) ON llm_turns TO parley_door;
CREATE POLICY door_lease ON llm_turns FOR UPDATE TO parley_door USING (true) WITH CHECK (true);

-- Ends the leases of all turns that these processes run, tells who recovers turns, and forgets the processes. It says how many
-- turns there were.
CREATE FUNCTION app.give_back_turns(processes uuid[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    turns integer;
BEGIN
    UPDATE public.llm_turns t SET lease_until = now() - interval '1 ms'
     WHERE t.finished_at IS NULL AND t.lease_until >= now() AND t.process_id = ANY (processes);
    GET DIAGNOSTICS turns = ROW_COUNT;
    DELETE FROM public.turn_processes p WHERE p.id = ANY (processes);
    IF turns > 0 THEN
        PERFORM pg_notify('parley_recovery', '');
    END IF;
    RETURN turns;
END $$;

-- Says that a process lives, and gives back the turns of those that have been silent. A process that was late itself, or is
-- new, judges no other this time: after an outage of the database all are late. Known is false for a process that has been
-- forgotten meanwhile, so that its turns are others' by now, or that is new.
CREATE FUNCTION app.beat_turn_process(process uuid, lease_seconds double precision, OUT known boolean, OUT turns integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before timestamptz;
    silent uuid[];
BEGIN
    turns := 0;
    SELECT p.lease_until INTO before FROM public.turn_processes p WHERE p.id = process FOR UPDATE;
    known := FOUND;
    INSERT INTO public.turn_processes (id, lease_until) VALUES (process, now() + make_interval(secs => lease_seconds))
        ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until;
    IF before >= now() THEN
        SELECT array_agg(s.id) INTO silent
          FROM (SELECT p.id FROM public.turn_processes p WHERE p.lease_until < now() FOR UPDATE SKIP LOCKED) s;
        IF silent IS NOT NULL THEN
            turns := app.give_back_turns(silent);
        END IF;
    END IF;
END $$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.give_back_turns(uuid[]) OWNER TO parley_door;
ALTER FUNCTION app.beat_turn_process(uuid, double precision) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.give_back_turns(uuid[]), app.beat_turn_process(uuid, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.give_back_turns(uuid[]), app.beat_turn_process(uuid, double precision) TO parley_app;
