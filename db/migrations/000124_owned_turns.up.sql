-- A turn is of the owner of its thread.
SELECT app.keep_to_owner('llm_turns', 'app.owns_thread(thread_id)');
