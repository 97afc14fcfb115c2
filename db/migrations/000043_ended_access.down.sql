DROP FUNCTION app.ended_access(jsonb);
