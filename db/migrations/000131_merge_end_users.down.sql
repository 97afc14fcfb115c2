DROP FUNCTION app.merge_end_user(uuid, text);
REVOKE UPDATE (user_id) ON message_feedback FROM parley_app;
