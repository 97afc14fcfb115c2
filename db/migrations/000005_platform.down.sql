DROP TABLE dead_letter_queue;
DROP TABLE job_queue;
DROP TABLE webhook_events;
DROP TABLE audit_log;
DROP FUNCTION app.refuse_change();
DROP FUNCTION app.claim_operation(uuid, uuid, uuid, bytea);
DROP TABLE operations;
