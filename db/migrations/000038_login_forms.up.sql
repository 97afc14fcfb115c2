-- For log-in: the user behind an address, which is given in all the forms that it may be stored in, the likeliest first;
-- with the workspace that it wants, or else the first that it joined, one that is not deleted if there is one. Without a
-- workspace where it is in none, or not in that. The function that takes one form is that of the program before this one.
CREATE FUNCTION app.find_login(addresses text[], wanted uuid)
    RETURNS TABLE (user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.find_login(text[], uuid) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.find_login(text[], uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_login(text[], uuid) TO parley_app;
