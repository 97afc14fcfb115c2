DROP FUNCTION app.find_invitation(bytea), app.has_member(text);
DROP TABLE invitations;
