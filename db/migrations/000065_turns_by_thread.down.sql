-- standalone: the table is big
DROP INDEX CONCURRENTLY IF EXISTS llm_turns_by_thread;
