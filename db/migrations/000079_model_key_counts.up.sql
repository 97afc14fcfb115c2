-- For app.sealed_keys and app.workspaces_to_reseal.
GRANT SELECT (sealed) ON model_keys TO parley_door;
CREATE POLICY door ON model_keys FOR SELECT TO parley_door USING (true);
