-- API keys are changed after they were made. Processes remember keys, and are notified (parley_keys) when one changes.
GRANT UPDATE (name, allowed_addresses, limits, keeps_calls) ON api_keys TO parley_app;
