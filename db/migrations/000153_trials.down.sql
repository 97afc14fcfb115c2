ALTER TABLE llm_turns DROP COLUMN trial;
