DROP FUNCTION app.recent_networks(timestamptz, integer);
