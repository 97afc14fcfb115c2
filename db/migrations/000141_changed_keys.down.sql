REVOKE UPDATE (name, allowed_addresses, limits, keeps_calls) ON api_keys FROM parley_app;
