-- standalone: calls are served meanwhile
DROP INDEX CONCURRENTLY IF EXISTS webhook_endpoints_by_bot;
