-- For how many days a workspace keeps its audit log; null: for ever. Never for less than 90.
ALTER TABLE workspace_retention
    ADD COLUMN audit_days integer CHECK (audit_days BETWEEN 90 AND 3650),
    ADD COLUMN run_audit  bigint NOT NULL DEFAULT 0;
