ALTER TABLE messages DROP COLUMN structured;
