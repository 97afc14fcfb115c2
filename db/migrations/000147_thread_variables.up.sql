-- Values for the variables in the instructions of bots, for every turn of a thread.
ALTER TABLE threads ADD COLUMN variables jsonb NOT NULL DEFAULT '{}';
