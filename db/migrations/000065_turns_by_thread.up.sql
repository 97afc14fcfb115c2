-- standalone: the table is big. Not the workspace first: while nothing is known of the table, a plan would take it for the primary key.
CREATE INDEX CONCURRENTLY IF NOT EXISTS llm_turns_by_thread ON llm_turns (thread_id, workspace_id);
