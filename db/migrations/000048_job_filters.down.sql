DROP INDEX job_queue_by_kind;
