-- A turn of a trial thread: its tools write nothing, and analytics leave it out.
ALTER TABLE llm_turns ADD COLUMN trial boolean NOT NULL DEFAULT false;
