-- A message that is deleted keeps its row, without its text, so that its turn can be read and counted.
ALTER TABLE messages ADD COLUMN erased_at timestamptz;
SELECT app.let_erase('messages');
GRANT SELECT (id, thread_id, turn_id, seq, role, erased_at), UPDATE (content, citations, erased_at) ON messages TO parley_door;
