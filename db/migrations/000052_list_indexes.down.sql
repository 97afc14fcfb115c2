DROP INDEX sessions_live, dead_letter_queue_by_kind;
