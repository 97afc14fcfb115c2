#!/bin/sh
# Makes what Parley needs of a PostgreSQL and only a superuser may make: the roles parley_app and parley_door, the role
# parley with the password PARLEY_PASSWORD, and the database parley, which it owns. parley is no superuser and may make
# neither roles nor databases. What is there already stays, but for the password, which is set again.
#
# Run it as a superuser, with psql's own variables for the connection (PGHOST, PGUSER, …):
#   PARLEY_PASSWORD=… PGHOST=db.example.com PGUSER=postgres db/create-owner.sh
# compose.yaml has the image of PostgreSQL run it when the data folder is new; that image sets POSTGRES_USER.
set -eu
: "${PARLEY_PASSWORD:?set it to the password that the role parley is to have}"
export PARLEY_PASSWORD

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-${PGUSER:-postgres}}" --dbname postgres <<'SQL'
\getenv password PARLEY_PASSWORD
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I NOLOGIN NOINHERIT', name) FROM unnest(ARRAY['parley_app', 'parley_door']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT 'CREATE ROLE parley' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley') \gexec
ALTER ROLE parley LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
GRANT parley_app, parley_door TO parley;
SELECT 'CREATE DATABASE parley OWNER parley TEMPLATE template0 ENCODING ''UTF8'''
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'parley') \gexec
REVOKE ALL ON DATABASE parley FROM PUBLIC;
SQL
