-- Jobs are listed by kind.
CREATE INDEX job_queue_by_kind ON job_queue (workspace_id, kind, id);
