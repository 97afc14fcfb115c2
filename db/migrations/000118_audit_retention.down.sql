ALTER TABLE workspace_retention DROP COLUMN run_audit, DROP COLUMN audit_days;
