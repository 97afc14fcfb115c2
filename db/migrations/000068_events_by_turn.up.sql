-- standalone: the table is big
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_events_by_turn ON webhook_events (turn_id, workspace_id) WHERE turn_id IS NOT NULL;
