ALTER TABLE llm_turns DROP COLUMN error_details;
