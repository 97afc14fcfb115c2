-- What is to be done is of all bots.
SELECT app.close_to_limited_keys('job_queue', 'created_at = now()'); -- those of this transaction
