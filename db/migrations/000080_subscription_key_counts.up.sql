-- For app.sealed_keys and app.workspaces_to_reseal.
GRANT SELECT (secrets) ON webhook_subscriptions TO parley_door;
CREATE POLICY door ON webhook_subscriptions FOR SELECT TO parley_door USING (true);
