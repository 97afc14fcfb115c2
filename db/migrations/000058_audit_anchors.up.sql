-- The head of a workspace's seals is authenticated: mac covers, under a key that is not here, the number of the seal mac_seq, its
-- time and its mac, and how many rows all seals up to it name. So the newest seals cannot be taken away with their rows by
-- lowering seq. A copy of the head is written to an anchor outside the database; anchored_seq is the last that was.
-- The release before moves seq on and leaves mac_seq where it is: the next seal of this one catches up.
ALTER TABLE audit_seal_heads
    ADD COLUMN mac_seq      bigint,
    ADD COLUMN mac_rows     bigint,
    ADD COLUMN mac          bytea CHECK (octet_length(mac) = 32),
    ADD COLUMN anchored_seq bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT audit_seal_heads_authenticated CHECK ((mac IS NULL) = (mac_seq IS NULL) AND (mac IS NULL) = (mac_rows IS NULL));
CREATE INDEX audit_seal_heads_to_anchor ON audit_seal_heads (workspace_id) WHERE mac_seq > anchored_seq;
CREATE INDEX audit_seal_heads_to_adopt ON audit_seal_heads (workspace_id) WHERE mac IS NULL;

-- Until when heads without a mac are authenticated as they are: those of the release before. It is set once, and authenticated.
ALTER TABLE audit_seal_progress
    ADD COLUMN adopt_until timestamptz,
    ADD COLUMN adopt_mac   bytea;

GRANT SELECT (workspace_id, mac, mac_seq, anchored_seq) ON audit_seal_heads TO parley_door;
CREATE POLICY door ON audit_seal_heads FOR SELECT TO parley_door USING (true);

-- Workspaces with a head, in the order of their ids: all, those whose head has no mac, or those whose head is not in the anchor yet.
CREATE FUNCTION app.audit_heads(which text, after uuid, most integer) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE which
        WHEN 'all' THEN RETURN QUERY SELECT h.workspace_id FROM public.audit_seal_heads h WHERE h.workspace_id > after ORDER BY h.workspace_id LIMIT most;
        WHEN 'to adopt' THEN RETURN QUERY SELECT h.workspace_id FROM public.audit_seal_heads h
                                           WHERE h.mac IS NULL AND h.workspace_id > after ORDER BY h.workspace_id LIMIT most;
        WHEN 'to anchor' THEN RETURN QUERY SELECT h.workspace_id FROM public.audit_seal_heads h
                                            WHERE h.mac_seq > h.anchored_seq AND h.workspace_id > after ORDER BY h.workspace_id LIMIT most;
    END CASE;
END $$;

-- Until when heads without a mac are adopted, and the mac of that; the time is null before it was set. Whether there are heads.
CREATE FUNCTION app.audit_adoption() RETURNS TABLE (adopt_until timestamptz, adopt_mac bytea, heads boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.adopt_until, p.adopt_mac, EXISTS (SELECT FROM public.audit_seal_heads)
      FROM (SELECT) one LEFT JOIN public.audit_seal_progress p ON true
$$;

-- Sets it, unless it is set.
CREATE FUNCTION app.begin_audit_adoption(until timestamptz, mac bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.audit_seal_progress AS p (sealed_at, adopt_until, adopt_mac) VALUES ('epoch', until, mac)
    ON CONFLICT (singleton) DO UPDATE SET adopt_until = excluded.adopt_until, adopt_mac = excluded.adopt_mac WHERE p.adopt_until IS NULL
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.audit_heads(text, uuid, integer) OWNER TO parley_door;
ALTER FUNCTION app.audit_adoption() OWNER TO parley_door;
ALTER FUNCTION app.begin_audit_adoption(timestamptz, bytea) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.audit_heads(text, uuid, integer), app.audit_adoption(), app.begin_audit_adoption(timestamptz, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.audit_heads(text, uuid, integer), app.audit_adoption(), app.begin_audit_adoption(timestamptz, bytea) TO parley_app;
