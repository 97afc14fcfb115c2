-- standalone: calls are served meanwhile
DROP INDEX CONCURRENTLY IF EXISTS webhook_subscriptions_by_endpoint;
