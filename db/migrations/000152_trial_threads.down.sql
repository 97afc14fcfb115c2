DROP INDEX threads_of_trials;
ALTER TABLE threads DROP COLUMN trial;
