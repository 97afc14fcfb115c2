INSERT INTO facts (workspace_id, at, batch, id, kind, count, messages, bot_id, provider, model, input_tokens, output_tokens, cost_micros, latency_ms, bucket)
