-- Threads can be deleted, with all that was said in them. The tables follow, a migration for each big one.

-- Lets the functions of erasure, which work as parley_door, change rows of the transaction's workspace and of no other.
CREATE FUNCTION app.let_erase(tab regclass) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($policy$CREATE POLICY erase ON %s TO parley_door
        USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
        WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)$policy$, tab);
END $$;
REVOKE EXECUTE ON FUNCTION app.let_erase(regclass) FROM PUBLIC;

ALTER TABLE threads ADD COLUMN deleted_at timestamptz; -- since when nobody sees it; its row is removed after its turns
CREATE INDEX threads_deleted ON threads (deleted_at) WHERE deleted_at IS NOT NULL;
SELECT app.let_erase('threads');
CREATE POLICY door ON threads FOR SELECT TO parley_door USING (deleted_at IS NOT NULL);
GRANT SELECT (id, deleted_at), UPDATE (deleted_at) ON threads TO parley_door;
