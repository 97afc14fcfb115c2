DROP POLICY key_bots ON job_queue;
