-- Properties whose values are left out of results of a tool.
ALTER TABLE tool_versions ADD COLUMN redact text[] NOT NULL DEFAULT '{}';
