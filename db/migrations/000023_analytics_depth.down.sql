DROP FUNCTION app.analytics_depth(integer);
