DROP FUNCTION app.remove_unproved(uuid);
DROP FUNCTION app.locate_unproved(double precision, integer, integer);
DROP FUNCTION app.has_verified_sponsor(uuid);
DROP FUNCTION app.has_verified(uuid[]);
DROP FUNCTION app.yield_address(text[]);
DROP FUNCTION app.find_registration(text, uuid);
DROP FUNCTION app.find_logins(text[], uuid, integer);
CREATE OR REPLACE FUNCTION app.find_invitation(print bytea)
 RETURNS TABLE(workspace_id uuid, id uuid, email text, role text, expires_at timestamp with time zone, accepted boolean, operation_id uuid, user_id uuid, password_hash text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT i.workspace_id, i.id, i.email, i.role, i.expires_at, i.accepted_at IS NOT NULL, i.operation_id, u.id, u.password_hash
      FROM public.invitations i
      JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
      LEFT JOIN public.users u ON u.email = i.email
     WHERE i.token_hash = print AND i.revoked_at IS NULL
$function$;
CREATE OR REPLACE FUNCTION app.find_login(address text)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.password_hash, u.operation_id, m.workspace_id
      FROM public.users u
      JOIN public.workspace_members m ON m.user_id = u.id
     WHERE u.email = address
     ORDER BY m.created_at, m.workspace_id
     LIMIT 1
$function$;
CREATE OR REPLACE FUNCTION app.find_login(address text, wanted uuid)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT u.id, u.password_hash, u.operation_id, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = address;
END $function$;
CREATE OR REPLACE FUNCTION app.find_login(addresses text[], wanted uuid)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.password_hash, u.operation_id, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = ANY (addresses)
     ORDER BY array_position(addresses, u.email)
     LIMIT 1
$function$;
DROP POLICY door_yield ON users;
REVOKE UPDATE (shares_address) ON users FROM parley_door;
DROP INDEX users_unproved;
DROP INDEX users_registration;
DROP INDEX users_email_verified;
DROP INDEX users_email_key;
-- This fails where accounts share an address: which of them is to stay is for the operator to say.
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE users DROP COLUMN shares_address;
