-- For the list of the threads with an answer that is rated so.
CREATE INDEX message_feedback_by_rating ON message_feedback (workspace_id, rating, thread_id);
