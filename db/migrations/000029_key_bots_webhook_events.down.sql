DROP POLICY key_bots ON webhook_events;
