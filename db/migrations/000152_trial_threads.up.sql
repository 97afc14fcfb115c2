-- A thread in which an editor tries a version of a bot. It expires, and counts as no customer's.
ALTER TABLE threads ADD COLUMN trial boolean NOT NULL DEFAULT false;
CREATE INDEX threads_of_trials ON threads (workspace_id, created_at DESC, id DESC) WHERE trial;
