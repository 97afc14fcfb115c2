-- Each seal names the rows of a workspace that it covers, and covers the seal before it too. Its mac is keyed outside the
-- database, so that whoever can change rows cannot make the seals fit. It goes by what a dump keeps, so that a log that
-- was moved to another server still verifies there: transaction ids would be that of the old one.
CREATE TABLE audit_seals (
    workspace_id uuid NOT NULL,
    seq          bigint NOT NULL CHECK (seq >= 1),
    row_ids      uuid[] NOT NULL CHECK (cardinality(row_ids) >= 1), -- in their order
    sealed_at    timestamptz NOT NULL,
    mac          bytea NOT NULL CHECK (octet_length(mac) = 32),
    PRIMARY KEY (workspace_id, seq)
);
CREATE INDEX audit_seals_by_age ON audit_seals (sealed_at);
SELECT app.wall('audit_seals');
GRANT SELECT, INSERT ON audit_seals TO parley_app;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

-- How many seals a workspace has been given: of the last ones, taken away, the chain itself would not tell.
CREATE TABLE audit_seal_heads (
    workspace_id uuid PRIMARY KEY,
    seq          bigint NOT NULL
);
SELECT app.wall('audit_seal_heads');
GRANT SELECT, INSERT, UPDATE ON audit_seal_heads TO parley_app;

-- When all workspaces were last sealed whole, so that the sealer looks at new rows only.
CREATE TABLE audit_seal_progress (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sealed_at timestamptz NOT NULL
);
ALTER TABLE audit_seal_progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_seal_progress FORCE ROW LEVEL SECURITY;
CREATE POLICY door ON audit_seal_progress TO parley_door USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON audit_seal_progress TO parley_door;
GRANT SELECT ON audit_log, audit_seals TO parley_door;
CREATE POLICY door ON audit_log FOR SELECT TO parley_door USING (true);
CREATE POLICY door ON audit_seals FOR SELECT TO parley_door USING (true);
CREATE INDEX audit_log_by_age ON audit_log USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);

-- Which workspaces have rows in no seal, among those written since. A row's created_at is when its transaction began, and
-- it may be seen only later: so since lies before the last run, by longer than any transaction of ours lasts.
CREATE FUNCTION app.audit_to_seal(look_back integer) RETURNS TABLE (workspace_id uuid, since timestamptz, sealed_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    start timestamptz := coalesce((SELECT p.sealed_at FROM public.audit_seal_progress p), timestamptz 'epoch') - look_back * interval '1 second';
BEGIN
    RETURN QUERY
    SELECT DISTINCT in_no_seal.workspace_id, start, now() FROM (
        SELECT a.workspace_id, a.id FROM public.audit_log a WHERE a.created_at >= start
        EXCEPT
        SELECT s.workspace_id, unnest(s.row_ids) FROM public.audit_seals s WHERE s.sealed_at >= start
    ) in_no_seal;
END $$;
CREATE FUNCTION app.audit_sealed(at timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.audit_seal_progress (sealed_at) VALUES (at)
    ON CONFLICT (singleton) DO UPDATE SET sealed_at = greatest(audit_seal_progress.sealed_at, excluded.sealed_at)
$$;

GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.audit_to_seal(integer) OWNER TO parley_door;
ALTER FUNCTION app.audit_sealed(timestamptz) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.audit_to_seal(integer), app.audit_sealed(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.audit_to_seal(integer), app.audit_sealed(timestamptz) TO parley_app;
