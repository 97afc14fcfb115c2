-- What single callers have done in the minute and the day that run, where they have limits: one count for all processes.
CREATE TABLE caller_counts (
    workspace_id uuid        NOT NULL REFERENCES workspaces (id),
    caller_id    uuid        NOT NULL, -- an end user
    metric       text        NOT NULL CHECK (metric IN ('turns')),
    period       text        NOT NULL CHECK (period IN ('minute', 'day')),
    began_at     timestamptz NOT NULL, -- of the minute or day, in UTC
    used         bigint      NOT NULL,
    PRIMARY KEY (workspace_id, caller_id, metric, period)
);
SELECT app.wall('caller_counts');
GRANT SELECT, INSERT, UPDATE, DELETE ON caller_counts TO parley_app;

-- Counts one more of a metric for a caller in each period that has a limit above 0, and raises PYRAT where a limit does not allow it:
-- what is refused is not counted. Calls of one caller wait for each other, so the limits are exact.
CREATE FUNCTION app.count_for_caller(workspace uuid, caller uuid, its_metric text, limits jsonb, moment timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    l     record;
    begun timestamptz;
    n     bigint;
BEGIN
    FOR l IN SELECT e.key AS period, e.value::bigint AS most FROM jsonb_each_text(limits) e WHERE e.value::bigint > 0 ORDER BY e.key LOOP
        begun := date_trunc(l.period, moment, 'UTC');
        INSERT INTO public.caller_counts AS c (workspace_id, caller_id, metric, period, began_at, used)
        VALUES (workspace, caller, its_metric, l.period, begun, 1)
            ON CONFLICT (workspace_id, caller_id, metric, period) DO UPDATE
           SET used = CASE WHEN c.began_at >= excluded.began_at THEN c.used + 1 ELSE 1 END, began_at = greatest(c.began_at, excluded.began_at)
        RETURNING c.used INTO n;
        IF n > l.most THEN
            RAISE EXCEPTION 'too many %', its_metric USING ERRCODE = 'PYRAT',
                DETAIL = greatest(1, ceil(extract(epoch FROM begun + ('1 ' || l.period)::interval - moment)))::bigint::text;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION app.count_for_caller(uuid, uuid, text, jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.count_for_caller(uuid, uuid, text, jsonb, timestamptz) TO parley_app;
