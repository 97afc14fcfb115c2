-- What a sender has sent, as text, where jsonb would write its numbers out: 1e308 has 309 digits there. The payload of such
-- an event has its type and message alone; of all others it is whole, and body is null.
ALTER TABLE webhook_events ADD COLUMN body json;
