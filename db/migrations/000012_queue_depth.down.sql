DROP FUNCTION app.queue_depth();
