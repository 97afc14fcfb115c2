-- What callers receive of why a turn failed, beside code and message: model, status, and what its provider says.
ALTER TABLE llm_turns ADD COLUMN error_details jsonb;
