REVOKE UPDATE (status, error, error_code, error_message, error_details) ON llm_turns FROM parley_door;
DROP POLICY erase ON llm_turns;
