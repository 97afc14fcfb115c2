-- An account without a password keeps an empty hash: its user sets one by a link in an email.
DROP FUNCTION app.expire_sign_ins(integer);
DROP FUNCTION app.use_sign_in(bytea);
DROP FUNCTION app.find_sign_in(bytea);
DROP FUNCTION app.finish_sign_in(bytea, bytea, bytea, text, jsonb, timestamptz);
DROP FUNCTION app.claim_sign_in(bytea, timestamptz);
DROP FUNCTION app.find_identity(text, text);
DROP TABLE sign_ins;
DROP TABLE account_identities;
