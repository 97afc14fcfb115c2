DROP POLICY door ON webhook_subscriptions;
REVOKE SELECT (secrets) ON webhook_subscriptions FROM parley_door;
