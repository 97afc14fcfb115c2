DROP TABLE tool_reviews;
ALTER TABLE tools NO FORCE ROW LEVEL SECURITY; -- an owner that is no superuser reads all rows
DELETE FROM tools WHERE kind = 'mcp';
ALTER TABLE tools DROP CONSTRAINT tools_kind_check, ADD CONSTRAINT tools_kind_check CHECK (kind IN ('http', 'client'));
ALTER TABLE tools FORCE ROW LEVEL SECURITY;
ALTER TABLE tool_versions DROP COLUMN definition_hash, DROP COLUMN remote_name;
