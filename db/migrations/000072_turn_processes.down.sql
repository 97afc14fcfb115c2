DROP FUNCTION app.beat_turn_process(uuid, double precision), app.give_back_turns(uuid[]);
DROP POLICY door_lease ON llm_turns;
REVOKE UPDATE (lease_until) ON llm_turns FROM parley_door;
ALTER TABLE llm_turns DROP COLUMN process_id;
DROP TABLE turn_processes;
