-- Events that came in are listed by endpoint and by status.
CREATE INDEX webhook_events_by_endpoint ON webhook_events (workspace_id, endpoint_id, id);
CREATE INDEX webhook_events_by_status ON webhook_events (workspace_id, status, id);
