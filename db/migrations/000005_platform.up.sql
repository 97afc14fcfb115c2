-- One row an operation. Its key is the claim: a second call under the same id meets it and changes nothing.
CREATE TABLE operations (
    workspace_id uuid NOT NULL,
    actor_id     uuid NOT NULL,
    id           uuid NOT NULL,
    fingerprint  bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    status       smallint, -- of the stored answer; it and what follows are set when the operation is finished
    content_type text,
    location     text,
    etag         text,
    body         bytea,
    CONSTRAINT operations_pkey PRIMARY KEY (workspace_id, actor_id, id),
    CHECK ((finished_at IS NULL) = (status IS NULL))
) WITH (fillfactor = 70);
SELECT app.wall('operations');
GRANT SELECT, INSERT, UPDATE ON operations TO parley_app;

-- The first statement of a change. A plain INSERT: a duplicate raises 23505 and aborts the batch that it stands in,
-- so that nothing behind it runs; while the first call is still at work the second waits here, 2 s at the most.
CREATE FUNCTION app.claim_operation(workspace uuid, actor uuid, operation uuid, print bytea) RETURNS void
    LANGUAGE sql SET lock_timeout = '2s' AS $$
    INSERT INTO public.operations (workspace_id, actor_id, id, fingerprint) VALUES (workspace, actor, operation, print)
$$;

CREATE TABLE audit_log (
    workspace_id  uuid NOT NULL,
    id            uuid NOT NULL,
    user_id       uuid,
    operation_id  uuid,
    trace_id      text NOT NULL,
    action        text NOT NULL,
    resource_type text NOT NULL,
    resource_id   uuid,
    changes       jsonb NOT NULL,
    ip            inet,
    user_agent    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
SELECT app.wall('audit_log');
GRANT SELECT, INSERT ON audit_log TO parley_app;

CREATE FUNCTION app.refuse_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

-- What came in over webhooks; unique per endpoint and sender's id, which is what makes a duplicate harmless.
CREATE TABLE webhook_events (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    endpoint_id  uuid NOT NULL,
    webhook_id   text NOT NULL CHECK (char_length(webhook_id) BETWEEN 1 AND 256),
    kind         text NOT NULL,
    payload      jsonb NOT NULL,
    operation_id uuid NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhook_events_sender_key UNIQUE (workspace_id, endpoint_id, webhook_id)
);
SELECT app.wall('webhook_events');
GRANT SELECT, INSERT ON webhook_events TO parley_app;

CREATE TABLE job_queue (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    kind         text NOT NULL,
    key          text NOT NULL, -- what makes it the same job: enqueued twice under one key it is there once
    payload      jsonb NOT NULL,
    operation_id uuid,
    trace_id     text NOT NULL,
    priority     smallint NOT NULL DEFAULT 0,
    status       text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done')),
    attempt      integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    run_at       timestamptz NOT NULL DEFAULT now(),
    lease_until  timestamptz,
    errors       jsonb NOT NULL DEFAULT '[]',
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT job_queue_key UNIQUE (workspace_id, kind, key)
);
CREATE INDEX job_queue_next ON job_queue (priority, run_at, id) WHERE status = 'queued';
SELECT app.wall('job_queue');
GRANT SELECT, INSERT, UPDATE ON job_queue TO parley_app;

CREATE TABLE dead_letter_queue (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    job_id       uuid NOT NULL,
    kind         text NOT NULL,
    payload      jsonb NOT NULL,
    operation_id uuid,
    trace_id     text NOT NULL,
    attempts     integer NOT NULL,
    errors       jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT dead_letter_queue_job_key UNIQUE (workspace_id, job_id)
);
SELECT app.wall('dead_letter_queue');
GRANT SELECT, INSERT, DELETE ON dead_letter_queue TO parley_app;
