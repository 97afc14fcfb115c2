DROP FUNCTION app.make_room(uuid, text, bigint), app.level(uuid, text);
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY; -- or the wall keeps their owner from the rows
DELETE FROM workspace_limits WHERE metric IN ('bots', 'members', 'api_keys');
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;
DROP INDEX workspace_members_in_order;
DROP FUNCTION app.members(uuid, timestamptz, uuid, integer), app.memberships(timestamptz, uuid, integer),
    app.find_login(text, uuid), app.enter(uuid, uuid, uuid, text[], boolean);
DROP POLICY door ON workspaces;
REVOKE SELECT ON workspaces FROM parley_door;
ALTER TABLE workspaces DROP COLUMN deleted_at;
