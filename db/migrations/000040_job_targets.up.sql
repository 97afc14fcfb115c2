-- Targets of jobs, such as the host that a webhook is delivered to, that were quick or slow recently: the jobs of each sort
-- have slots of their own, so that slow ones keep none of those that others need. A target without a row is new.
CREATE TABLE job_targets (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    kind         text NOT NULL,
    target       text NOT NULL,
    slow         boolean NOT NULL,
    until        timestamptz NOT NULL, -- then it is new again
    PRIMARY KEY (workspace_id, kind, target)
);
CREATE INDEX job_targets_by_end ON job_targets (until);
SELECT app.wall('job_targets');
GRANT SELECT, INSERT, UPDATE (slow, until), DELETE ON job_targets TO parley_app;
GRANT SELECT, DELETE ON job_targets TO parley_door;
CREATE POLICY door ON job_targets TO parley_door USING (true) WITH CHECK (true);

ALTER TABLE dead_letter_queue ADD COLUMN target text NOT NULL DEFAULT ''; -- of the job, which it has again when it is retried

-- Removes jobs done more than 7 days ago, dead letters older than 90 and what was known of targets; says how many.
CREATE OR REPLACE FUNCTION app.expire_jobs(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed integer := 0;
    n       integer;
BEGIN
    WITH old AS (
        SELECT j.workspace_id, j.id FROM public.job_queue j
         WHERE j.created_at < now() - interval '7 days' AND j.status = 'done' AND j.finished_at < now() - interval '7 days'
         LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM public.job_queue j USING old WHERE (j.workspace_id, j.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT d.workspace_id, d.id FROM public.dead_letter_queue d WHERE d.created_at < now() - interval '90 days' LIMIT most
    )
    DELETE FROM public.dead_letter_queue d USING old WHERE (d.workspace_id, d.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT t.workspace_id, t.kind, t.target FROM public.job_targets t WHERE t.until < now() LIMIT most
    )
    DELETE FROM public.job_targets t USING old
     WHERE (t.workspace_id, t.kind, t.target) = (old.workspace_id, old.kind, old.target) AND t.until < now();
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN removed + n;
END $$;
