-- name: Ping :one
SELECT 1::integer;

-- name: IsFirstKey :one
-- Whether a master secret, by its print, is the one that this database was first used with.
SELECT app.is_first_key(@print::bytea)::boolean;
