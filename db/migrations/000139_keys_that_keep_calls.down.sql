ALTER TABLE api_keys DROP COLUMN keeps_calls;
