-- name: LockRoles :exec
-- Roles belong to the cluster; this lock keeps two of our processes on one database from making them at once.
SELECT pg_advisory_lock(7262610851);

-- name: UnlockRoles :exec
SELECT pg_advisory_unlock(7262610851);

-- name: MissingRoles :many
-- Which of our roles do not exist, or may not be used by this user. From PostgreSQL 16 on a member may be without the right to
-- work as the role: one who has made it is, until it grants it to itself.
SELECT r.name::text AS name, NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles p WHERE p.rolname = r.name) AS absent
  FROM unnest(ARRAY['parley_app', 'parley_door']) AS r(name)
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles p WHERE p.rolname = r.name AND pg_has_role(current_user, p.oid,
        CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END));
