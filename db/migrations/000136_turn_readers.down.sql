ALTER TABLE llm_turns DROP COLUMN read_until;
