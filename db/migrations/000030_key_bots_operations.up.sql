-- Stored answers have data of bots: a key that is limited to some has its own operations.
SELECT app.keep_key_to('operations', $$actor_id = nullif(current_setting('app.user_id', true), '')::uuid$$);
