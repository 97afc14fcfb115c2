-- standalone: the table is big
CREATE INDEX CONCURRENTLY IF NOT EXISTS llm_turns_by_bot ON llm_turns (bot_id, workspace_id) WHERE bot_id IS NOT NULL;
