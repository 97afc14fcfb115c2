-- A workspace with millions of rows is purged in steps, each a transaction of its own: one statement for all of them took
-- hours, wrote all of its WAL in vain when it was ended, and began anew.
ALTER TABLE workspace_purges ADD COLUMN finished boolean NOT NULL DEFAULT true; -- false: some of its rows are left
GRANT SELECT, UPDATE (removed, purged_at, finished) ON workspace_purges TO parley_door;
CREATE POLICY progress ON workspace_purges FOR ALL TO parley_door USING (true) WITH CHECK (true);

-- Removes rows of a workspace that was deleted 30 days ago for so many seconds, and says whether there are more: 'done', 'more', or
-- 'busy' where another process is at it. The tables are found in the catalog, so that a new one needs no thought; a table
-- goes when none that points at it is left, the members last, as they say whose accounts may go.
CREATE FUNCTION app.purge_some(workspace uuid, seconds double precision, OUT state text, OUT removed bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last      constant regclass := 'public.workspace_members';
    until     constant timestamptz := clock_timestamp() + seconds * interval '1 second';
    remaining regclass[] := ARRAY(
        SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' AND NOT a.attisdropped);
    people    uuid[];
    counts    jsonb := '{}';
    tab       regclass;
    rows      refcursor;
    whole     boolean; -- the table goes in one step with those that point at it, whose keys are checked at the commit
    n         bigint;
BEGIN
    removed := 0;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('purge of ' || workspace, 0)) THEN
        state := 'busy';
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.workspaces w WHERE w.id = workspace AND w.deleted_at < now() - interval '30 days') THEN
        RAISE EXCEPTION 'the workspace is not to be purged';
    END IF;
    state := 'done';
    WHILE cardinality(remaining) > 0 LOOP
        SELECT t INTO tab FROM unnest(remaining) t
         WHERE NOT EXISTS (SELECT FROM pg_constraint c
                            WHERE c.contype = 'f' AND c.confrelid = t AND c.conrelid <> t AND NOT c.condeferrable AND c.conrelid = ANY (remaining))
           AND (t <> last OR cardinality(remaining) = 1)
         ORDER BY t::text
         LIMIT 1;
        IF tab IS NULL THEN
            RAISE EXCEPTION 'tables point at each other in a circle: %', remaining;
        END IF;
        IF tab = last THEN
            people := ARRAY(SELECT m.user_id FROM public.workspace_members m WHERE m.workspace_id = workspace);
        END IF;
        whole := tab = last OR EXISTS (SELECT FROM pg_constraint c
                            WHERE c.contype = 'f' AND c.condeferrable AND c.confrelid <> ALL (array_remove(remaining, tab)) AND c.conrelid = ANY (remaining));
        n := 0;
        OPEN rows FOR EXECUTE format('SELECT workspace_id FROM %s WHERE workspace_id = $1', tab) USING workspace;
        LOOP
            MOVE NEXT FROM rows;
            EXIT WHEN NOT FOUND;
            EXECUTE format('DELETE FROM %s WHERE CURRENT OF %I', tab, rows::text);
            n := n + 1;
            IF n % 100 = 0 AND NOT whole AND clock_timestamp() > until THEN
                state := 'more';
                EXIT;
            END IF;
        END LOOP;
        CLOSE rows;
        IF n > 0 THEN
            counts := counts || jsonb_build_object(tab::text, n);
            removed := removed + n;
        END IF;
        EXIT WHEN state = 'more';
        remaining := array_remove(remaining, tab);
    END LOOP;
    IF state = 'done' THEN
        DELETE FROM public.workspaces w WHERE w.id = workspace;
        DELETE FROM public.users u WHERE u.id = ANY (people) AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = u.id);
    END IF;
    INSERT INTO public.workspace_purges AS p (id, removed, finished) VALUES (workspace, counts, state = 'done')
        ON CONFLICT (id) DO UPDATE
       SET purged_at = now(), finished = excluded.finished,
           removed = (SELECT coalesce(jsonb_object_agg(t, coalesce((p.removed ->> t)::bigint, 0) + coalesce((counts ->> t)::bigint, 0)), '{}')
                        FROM (SELECT jsonb_object_keys(p.removed || counts)) k(t));
END $$;

-- The program before this one calls it until it says true.
CREATE OR REPLACE FUNCTION app.purge_workspace(workspace uuid) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT state = 'done' FROM app.purge_some(workspace, 5)
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.purge_some(uuid, double precision) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.purge_some(uuid, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.purge_some(uuid, double precision) TO parley_app;
