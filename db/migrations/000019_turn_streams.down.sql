DROP FUNCTION app.expire_turn_events(integer);
ALTER TABLE messages DROP COLUMN status;
ALTER TABLE llm_turns
    DROP COLUMN error_code,
    DROP COLUMN error_message,
    DROP COLUMN cancel_attempt,
    DROP COLUMN cancel_operation;
DROP TABLE turn_events;
