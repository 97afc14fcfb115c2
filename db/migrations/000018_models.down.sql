DROP TABLE model_keys;
DROP TABLE model_settings;
ALTER TABLE llm_turns DROP COLUMN finish_reason, DROP COLUMN first_token_ms, DROP COLUMN cached_tokens;
