-- What was changed is told of all bots.
SELECT app.close_to_limited_keys('audit_log');
