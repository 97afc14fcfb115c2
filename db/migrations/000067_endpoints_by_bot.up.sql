-- standalone: calls are served meanwhile
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_endpoints_by_bot ON webhook_endpoints (bot_id, workspace_id);
