-- Until when the reader of a turn without a thread counts as being there: a process that serves it writes it again and again. A turn whose
-- readers are gone is cancelled.
ALTER TABLE llm_turns ADD COLUMN read_until timestamptz;
