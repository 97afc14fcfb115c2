ALTER TABLE threads DROP COLUMN variables;
