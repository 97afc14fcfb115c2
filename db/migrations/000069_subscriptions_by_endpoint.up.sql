-- standalone: calls are served meanwhile
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_subscriptions_by_endpoint ON webhook_subscriptions (endpoint_id, workspace_id) WHERE endpoint_id IS NOT NULL;
