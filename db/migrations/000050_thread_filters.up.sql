-- Threads are listed by status.
CREATE INDEX threads_by_status ON threads (workspace_id, status, created_at DESC, id DESC);
