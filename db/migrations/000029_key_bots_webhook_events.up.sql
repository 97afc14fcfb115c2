-- An event is of its endpoint's bot.
SELECT app.keep_key_to('webhook_events', 'app.sees_endpoint(endpoint_id)');
