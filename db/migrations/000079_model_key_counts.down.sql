DROP POLICY door ON model_keys;
REVOKE SELECT (sealed) ON model_keys FROM parley_door;
