-- A message is of the owner of its thread.
SELECT app.keep_to_owner('messages', 'app.owns_thread(thread_id)');
