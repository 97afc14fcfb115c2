-- Stored answers have texts: whoever sees only what it owns has its own operations.
SELECT app.keep_to_owner('operations', $$actor_id = current_setting('app.owner')::uuid$$);
