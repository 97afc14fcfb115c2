-- The sessions of a user that are not revoked, of which there are few among all that ever were: for the list of them.
CREATE INDEX sessions_live ON sessions (workspace_id, user_id, created_at DESC, id DESC) WHERE revoked_at IS NULL;

-- Dead letters are listed by kind.
CREATE INDEX dead_letter_queue_by_kind ON dead_letter_queue (workspace_id, kind, id);
