REVOKE SELECT (id) ON bots FROM parley_door;
DROP POLICY door ON bots;
ALTER TABLE bots DROP COLUMN threads_deleted_at;
ALTER TABLE bots DROP COLUMN deleted_at;
