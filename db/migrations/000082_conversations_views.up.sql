-- What the channels module may read of conversations. The views belong to conversations; each works with the rights of
-- who asks, so that row-level security holds.
CREATE VIEW app.channel_threads WITH (security_invoker = true) AS
SELECT workspace_id, endpoint_id, conversation_id, id, bot_id, status FROM threads WHERE endpoint_id IS NOT NULL;

CREATE VIEW app.operation_turns WITH (security_invoker = true) AS
SELECT workspace_id, actor_id, operation_id, id, thread_id FROM llm_turns;

CREATE VIEW app.default_models WITH (security_invoker = true) AS
SELECT workspace_id, default_model, fallbacks FROM model_settings;

CREATE VIEW app.own_model_keys WITH (security_invoker = true) AS
SELECT workspace_id, provider FROM model_keys;

GRANT SELECT ON app.channel_threads, app.operation_turns, app.default_models, app.own_model_keys TO parley_app;
