-- Turns are removed with their thread, and lose the text of their error with their message.
SELECT app.let_erase('llm_turns');
GRANT UPDATE (status, error, error_code, error_message, error_details) ON llm_turns TO parley_door;
