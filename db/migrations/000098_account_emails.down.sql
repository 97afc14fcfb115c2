ALTER TABLE users DROP COLUMN verified_at;
DROP FUNCTION app.expire_account_links(integer);
DROP FUNCTION app.find_account_link(text, bytea);
DROP FUNCTION app.end_account_email(uuid, integer, double precision);
DROP FUNCTION app.claim_account_emails(integer, double precision);
DROP FUNCTION app.queue_account_email(uuid, text, uuid, text, text, text);
DROP TABLE account_links;
DROP TABLE account_emails;
