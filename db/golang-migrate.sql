-- The table that golang-migrate makes by itself, for sqlc alone.
CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
