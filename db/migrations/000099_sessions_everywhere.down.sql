DROP FUNCTION app.take_account_emails(integer, double precision);
DROP FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text, jsonb);
ALTER TABLE account_emails DROP COLUMN facts;
DROP TABLE account_devices;
DROP FUNCTION app.end_own_session(uuid);
DROP FUNCTION app.own_sessions(timestamptz, uuid, integer, boolean);
