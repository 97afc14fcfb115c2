-- Schema app holds the functions that the program calls; public holds the tables.
-- The roles parley_app (what the program works as) and parley_door (what owns the narrow doors) are made
-- before the first migration, by platform/postgres, because roles belong to the cluster, not to the database.

CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO parley_app, parley_door;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO parley_app, parley_door;

-- The workspace and the user that this transaction works for; NULL outside of one, and then no row is visible.
CREATE FUNCTION app.workspace_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.workspace_id', true), '')::uuid;

CREATE FUNCTION app.user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.user_id', true), '')::uuid;

-- Makes a missing row an error: in a pipelined batch it would be none, and the batch would commit half a thought.
CREATE FUNCTION app.require(ok boolean, what text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF ok IS NOT TRUE THEN
        RAISE EXCEPTION '%', what USING ERRCODE = 'PY404';
    END IF;
    RETURN true;
END $$;

-- Builds the tenant wall round a table: nobody, its owner included, sees or writes a row of another workspace.
CREATE FUNCTION app.wall(tab regclass) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tab);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tab);
    EXECUTE format($policy$CREATE POLICY tenant ON %s TO parley_app
        USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
        WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)$policy$, tab);
END $$;
REVOKE EXECUTE ON FUNCTION app.wall FROM PUBLIC;
