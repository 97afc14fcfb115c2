-- standalone: the table is big
CREATE INDEX CONCURRENTLY IF NOT EXISTS llm_turns_by_thread ON llm_turns (workspace_id, thread_id);
