-- How many turns an end user may begin, as the last token that named limits has set it: {"minute": …, "day": …}, without what has no limit.
ALTER TABLE end_users ADD COLUMN turn_limits jsonb NOT NULL DEFAULT '{}';
GRANT UPDATE (turn_limits) ON end_users TO parley_app;
