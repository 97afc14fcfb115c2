DROP FUNCTION app.channel_thread(uuid, uuid, text, uuid, timestamptz);
ALTER TABLE webhook_endpoints DROP COLUMN on_archived;
