DROP FUNCTION app.abandoned_turns(integer);
DROP POLICY door ON llm_turns;
REVOKE SELECT ON llm_turns FROM parley_door;
DROP INDEX llm_turns_running;
DROP FUNCTION app.expire_operations(integer);
DROP POLICY door ON operations;
REVOKE SELECT, DELETE, UPDATE (body, content_type, location, etag) ON operations FROM parley_door;
DROP INDEX operations_by_age;
