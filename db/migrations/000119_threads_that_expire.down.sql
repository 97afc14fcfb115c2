ALTER TABLE threads DROP COLUMN expires_at;
