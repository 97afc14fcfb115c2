-- Which transaction wrote a row: ids and times are not in the order of commits, but below the oldest transaction that
-- still runs nothing can appear any more. The sealer goes by this.
ALTER TABLE audit_log ADD COLUMN txid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX audit_log_by_txid ON audit_log USING brin (txid) WITH (pages_per_range = 16, autosummarize = on);

-- Each seal covers the rows of a workspace from one transaction (inclusive) to another (exclusive), and the seal before
-- it. Its mac is keyed outside the database, so that whoever can change rows cannot make the seals fit.
CREATE TABLE audit_seals (
    workspace_id uuid NOT NULL,
    seq          bigint NOT NULL CHECK (seq >= 1),
    from_txid    bigint NOT NULL,
    to_txid      bigint NOT NULL,
    rows         bigint NOT NULL CHECK (rows >= 1),
    mac          bytea NOT NULL CHECK (octet_length(mac) = 32),
    sealed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, seq)
);
SELECT app.wall('audit_seals');
GRANT SELECT, INSERT ON audit_seals TO parley_app;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

-- How far all workspaces have been sealed, so that the sealer looks at new rows only.
CREATE TABLE audit_seal_progress (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    txid      bigint NOT NULL
);
ALTER TABLE audit_seal_progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_seal_progress FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON audit_seal_progress TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON audit_seal_progress TO parley_door;
GRANT SELECT ON audit_log TO parley_door;
CREATE POLICY door ON audit_log FOR SELECT TO parley_door USING (true);

-- Which workspaces have rows that can be sealed, and up to which transaction.
CREATE FUNCTION app.audit_to_seal() RETURNS TABLE (workspace_id uuid, up_to bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT a.workspace_id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint
      FROM public.audit_log a
     WHERE a.txid >= coalesce((SELECT p.txid FROM public.audit_seal_progress p), 0)
       AND a.txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
$$;
CREATE FUNCTION app.audit_sealed(up_to bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.audit_seal_progress (txid) VALUES (up_to)
    ON CONFLICT (singleton) DO UPDATE SET txid = greatest(audit_seal_progress.txid, excluded.txid)
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.audit_to_seal() OWNER TO parley_door;
ALTER FUNCTION app.audit_sealed(bigint) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.audit_to_seal(), app.audit_sealed(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.audit_to_seal(), app.audit_sealed(bigint) TO parley_app;
