DROP VIEW app.own_model_keys, app.default_models, app.operation_turns, app.channel_threads;
