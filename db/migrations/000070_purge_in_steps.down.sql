DROP POLICY progress ON workspace_purges;
REVOKE SELECT, UPDATE (removed, purged_at, finished) ON workspace_purges FROM parley_door;
ALTER TABLE workspace_purges DROP COLUMN finished;
CREATE OR REPLACE FUNCTION app.purge_workspace(workspace uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    remaining regclass[] := ARRAY(
        SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' AND NOT a.attisdropped);
    people    uuid[] := ARRAY(SELECT m.user_id FROM public.workspace_members m WHERE m.workspace_id = workspace);
    removed   jsonb := '{}';
    tab       regclass;
    n         bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('purge of ' || workspace, 0)) THEN
        RETURN false; -- another process is at it
    END IF;
    WHILE cardinality(remaining) > 0 LOOP
        SELECT t INTO tab FROM unnest(remaining) t
         WHERE NOT EXISTS (SELECT FROM pg_constraint c
                            WHERE c.contype = 'f' AND c.confrelid = t AND c.conrelid <> t AND NOT c.condeferrable AND c.conrelid = ANY (remaining))
         LIMIT 1;
        IF tab IS NULL THEN
            RAISE EXCEPTION 'tables point at each other in a circle: %', remaining;
        END IF;
        EXECUTE format('DELETE FROM %s WHERE workspace_id = $1', tab) USING workspace;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n > 0 THEN
            removed := removed || jsonb_build_object(tab::text, n);
        END IF;
        remaining := array_remove(remaining, tab);
    END LOOP;
    DELETE FROM public.workspaces w WHERE w.id = workspace;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the workspace is not to be purged'; -- it was restored; whatever was removed is there again
    END IF;
    DELETE FROM public.users u WHERE u.id = ANY (people) AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = u.id);
    INSERT INTO public.workspace_purges (id, removed) VALUES (workspace, removed);
    RETURN true;
END $$;
DROP FUNCTION app.purge_some(uuid, double precision);
