REVOKE SELECT (id, thread_id, turn_id, seq, role, erased_at), UPDATE (content, citations, erased_at) ON messages FROM parley_door;
DROP POLICY erase ON messages;
ALTER TABLE messages DROP COLUMN erased_at;
