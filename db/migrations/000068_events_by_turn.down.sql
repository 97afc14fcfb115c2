-- standalone: the table is big
DROP INDEX CONCURRENTLY IF EXISTS webhook_events_by_turn;
