-- Answers that are JSON of the schema that the bot declared.
ALTER TABLE messages ADD COLUMN structured boolean NOT NULL DEFAULT false;
