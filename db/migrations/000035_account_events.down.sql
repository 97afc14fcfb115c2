DROP FUNCTION app.expire_account_events(integer);
DROP TABLE account_events;
