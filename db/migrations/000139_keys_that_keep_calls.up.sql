-- Calls of an API key in OpenAI's form that name no thread may be kept as threads, which do not expire by themselves.
ALTER TABLE api_keys ADD COLUMN keeps_calls boolean NOT NULL DEFAULT false;
