-- Deliveries are listed by subscription and by status.
CREATE INDEX webhook_deliveries_by_subscription ON webhook_deliveries (workspace_id, subscription_id, id);
CREATE INDEX webhook_deliveries_by_status ON webhook_deliveries (workspace_id, status, id);
