ALTER TABLE tool_versions DROP COLUMN redact;
