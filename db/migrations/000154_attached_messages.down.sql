ALTER TABLE messages DROP COLUMN attached;
