DROP FUNCTION app.own_actions(timestamptz, uuid, integer);
DROP FUNCTION app.forget_own_address();
DROP FUNCTION app.own_invitations(text, integer);
DROP FUNCTION app.locate_own_invitations(text);
DROP INDEX invitations_by_email;
DROP INDEX invitations_by_guest;
REVOKE SELECT (accepted_by) ON invitations FROM parley_door;
REVOKE UPDATE (email) ON invitations FROM parley_app;
REVOKE DELETE ON users FROM parley_app;
