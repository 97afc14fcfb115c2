-- What an export of a workspace has, a statement a kind, a line of JSON a row. They run in one snapshot (DB.Snapshot), and
-- their rows are read one by one. Keys, secrets, hashes of passwords and tokens, and sessions are in none of them: the list
-- of all columns with what becomes of each is in modules/activity/adapters/postgres/snapshot_test.go.

-- name: SnapshotWorkspace :many
SELECT json_build_object('id', w.id, 'name', w.name, 'created_at', w.created_at)::text AS line FROM workspaces w WHERE w.id = @workspace_id;

-- name: SnapshotMembers :many
SELECT json_build_object('user_id', m.user_id, 'email', m.email, 'role', m.role, 'joined_at', m.joined_at)::text AS line
  FROM app.members(NULL, NULL, NULL, 1000000) m, workspaces w
 WHERE w.id = @workspace_id;

-- name: SnapshotInvitations :many
SELECT json_build_object('id', i.id, 'email', i.email, 'role', i.role, 'invited_by', i.invited_by, 'created_at', i.created_at, 'expires_at', i.expires_at,
                         'accepted_at', i.accepted_at, 'accepted_by', i.accepted_by, 'revoked_at', i.revoked_at)::text AS line
  FROM invitations i WHERE i.workspace_id = @workspace_id ORDER BY i.id;

-- name: SnapshotLimits :many
SELECT json_build_object('metric', l.metric, 'max', l.most)::text AS line FROM workspace_limits l WHERE l.workspace_id = @workspace_id ORDER BY l.metric;

-- name: SnapshotUsage :many
SELECT json_build_object('month', u.month, 'turns', sum(u.turns), 'tokens', sum(u.tokens), 'messages', sum(u.messages), 'webhook_events', sum(u.webhook_events),
                         'storage_bytes', sum(u.storage_bytes), 'cost_micros', sum(u.cost_micros))::text AS line
  FROM usage_counters u WHERE u.workspace_id = @workspace_id GROUP BY u.month ORDER BY u.month;

-- name: SnapshotModelSettings :many
SELECT json_build_object('default_model', s.default_model, 'fallbacks', s.fallbacks, 'updated_at', s.updated_at)::text AS line
  FROM model_settings s WHERE s.workspace_id = @workspace_id;

-- name: SnapshotModelKeys :many
SELECT json_build_object('provider', k.provider, 'base_url', k.base_url, 'created_by', k.created_by, 'created_at', k.created_at)::text AS line
  FROM model_keys k WHERE k.workspace_id = @workspace_id ORDER BY k.provider;

-- name: SnapshotEmbeddingKeys :many
SELECT json_build_object('model', k.model, 'base_url', k.base_url, 'dimensions', k.dimensions, 'created_by', k.created_by, 'created_at', k.created_at)::text AS line
  FROM embedding_keys k WHERE k.workspace_id = @workspace_id;

-- name: SnapshotKnowledgeBases :many
SELECT json_build_object('id', b.id, 'name', b.name, 'description', b.description, 'language', b.language, 'embedding_model', b.embedding_model,
                         'chunk_size', b.chunk_size, 'chunk_overlap', b.chunk_overlap, 'created_by', b.created_by, 'created_at', b.created_at, 'updated_at', b.updated_at)::text AS line
  FROM knowledge_bases b WHERE b.workspace_id = @workspace_id AND b.deleted_at IS NULL ORDER BY b.id;

-- name: SnapshotFiles :many
SELECT json_build_object('id', f.id, 'name', f.name, 'content_type', f.content_type, 'size', f.size, 'sha256', encode(f.sha256, 'hex'), 'created_by', f.created_by, 'owner_id', f.owner_id,
                         'created_at', f.created_at)::text AS line
  FROM files f WHERE f.workspace_id = @workspace_id ORDER BY f.id;

-- name: SnapshotFileBytes :many
-- Whose bytes follow the rows.
SELECT f.id, f.size, f.sha256 FROM files f WHERE f.workspace_id = @workspace_id ORDER BY f.id LIMIT @max_rows;

-- name: SnapshotDocuments :many
SELECT json_build_object('id', d.id, 'knowledge_base_id', d.base_id, 'file_id', d.file_id, 'title', d.title, 'metadata', d.metadata, 'content_type', d.content_type,
                         'content_hash', encode(d.content_hash, 'hex'), 'size', d.size, 'status', d.status, 'chunks', d.chunks, 'characters', d.characters, 'pages', d.pages,
                         'error_code', d.error_code, 'error_message', d.error_message, 'created_by', d.created_by, 'created_at', d.created_at,
                         'updated_at', d.updated_at, 'indexed_at', d.indexed_at)::text AS line
  FROM documents d JOIN knowledge_bases b ON b.workspace_id = d.workspace_id AND b.id = d.base_id AND b.deleted_at IS NULL
 WHERE d.workspace_id = @workspace_id AND d.status <> 'deleting' ORDER BY d.id;

-- name: SnapshotDocumentTexts :many
-- The text that a document was made of, where that is no file, and the one that is searched.
SELECT json_build_object('document_id', t.document_id, 'source', t.generation = 0, 'text', t.text)::text AS line
  FROM document_texts t
  JOIN documents d ON d.workspace_id = t.workspace_id AND d.id = t.document_id AND d.status <> 'deleting' AND t.generation IN (0, d.generation)
  JOIN knowledge_bases b ON b.workspace_id = d.workspace_id AND b.id = d.base_id AND b.deleted_at IS NULL
 WHERE t.workspace_id = @workspace_id ORDER BY t.document_id, t.generation;

-- name: SnapshotTools :many
SELECT json_build_object('id', t.id, 'kind', t.kind, 'name', t.name, 'current_version', t.current_version, 'created_by', t.created_by, 'created_at', t.created_at,
                         'updated_at', t.updated_at)::text AS line
  FROM tools t WHERE t.workspace_id = @workspace_id ORDER BY t.id;

-- name: SnapshotToolVersions :many
SELECT json_build_object('tool_id', v.tool_id, 'version', v.version, 'description', v.description, 'schema', v.schema::json, 'effect', v.effect,
                         'timeout_ms', v.timeout_ms, 'max_output_bytes', v.max_output_bytes, 'url', v.url, 'method', v.method,
                         'idempotency_header', v.idempotency_header, 'remote_name', v.remote_name, 'definition_hash', v.definition_hash, 'redact', v.redact, 'note', v.note, 'created_by', v.created_by, 'created_at', v.created_at)::text AS line
  FROM tool_versions v WHERE v.workspace_id = @workspace_id ORDER BY v.tool_id, v.version;

-- name: SnapshotBots :many
SELECT json_build_object('id', b.id, 'name', b.name, 'status', b.status, 'current_version', b.current_version, 'published_version', b.published_version,
                         'created_by', b.created_by, 'created_at', b.created_at, 'updated_at', b.updated_at)::text AS line
  FROM bots b WHERE b.workspace_id = @workspace_id ORDER BY b.id;

-- name: SnapshotBotVersions :many
SELECT json_build_object('bot_id', v.bot_id, 'version', v.version, 'instruction', v.instruction, 'settings', v.settings, 'note', v.note, 'created_by', v.created_by,
                         'created_at', v.created_at)::text AS line
  FROM bot_versions v WHERE v.workspace_id = @workspace_id ORDER BY v.bot_id, v.version;

-- name: SnapshotBotHistory :many
SELECT json_build_object('bot_id', m.bot_id, 'number', m.number, 'pointer', m.pointer, 'from_version', m.from_version, 'to_version', m.to_version, 'cause', m.cause,
                         'moved_by', m.moved_by, 'moved_at', m.moved_at)::text AS line
  FROM bot_pointer_moves m WHERE m.workspace_id = @workspace_id ORDER BY m.bot_id, m.number;

-- name: SnapshotWebhookEndpoints :many
SELECT json_build_object('id', e.id, 'name', e.name, 'bot_id', e.bot_id, 'status', e.status, 'on_archived', e.on_archived, 'created_by', e.created_by,
                         'responsible_id', e.responsible_id, 'created_at', e.created_at, 'deleted_at', e.deleted_at)::text AS line
  FROM webhook_endpoints e WHERE e.workspace_id = @workspace_id ORDER BY e.id;

-- name: SnapshotWebhookSubscriptions :many
SELECT json_build_object('id', s.id, 'url', s.url, 'events', s.events, 'endpoint_id', s.endpoint_id, 'status', s.status, 'disabled_reason', s.disabled_reason,
                         'created_by', s.created_by, 'responsible_id', s.responsible_id, 'created_at', s.created_at)::text AS line
  FROM webhook_subscriptions s WHERE s.workspace_id = @workspace_id AND s.deleted_at IS NULL ORDER BY s.id;

-- name: SnapshotEndUsers :many
-- With the bots that they have had tokens for.
SELECT json_build_object('id', e.id, 'external_id', e.external_id, 'name', e.name, 'metadata', e.metadata, 'created_at', e.created_at,
                         'last_token_at', e.last_token_at, 'revoked_at', e.revoked_at,
                         'bots', (SELECT coalesce(json_agg(b.bot_id ORDER BY b.bot_id), '[]')
                                    FROM end_user_bots b JOIN bots o ON o.workspace_id = b.workspace_id AND o.id = b.bot_id
                                   WHERE b.workspace_id = e.workspace_id AND b.end_user_id = e.id))::text AS line
  FROM end_users e WHERE e.workspace_id = @workspace_id ORDER BY e.id;

-- name: SnapshotThreads :many
SELECT json_build_object('id', t.id, 'bot_id', t.bot_id, 'status', t.status, 'title', t.title, 'metadata', t.metadata, 'variables', t.variables, 'last_seq', t.last_seq,
                         'endpoint_id', t.endpoint_id, 'conversation_id', t.conversation_id, 'created_by', t.created_by, 'created_at', t.created_at,
                         'owner_id', t.owner_id, 'end_user_id', t.end_user_id, 'path', t.path)::text AS line
  FROM threads t WHERE t.workspace_id = @workspace_id AND t.deleted_at IS NULL AND t.expires_at IS NULL ORDER BY t.id;

-- name: SnapshotTurns :many
SELECT json_build_object('id', t.id, 'thread_id', t.thread_id, 'actor_id', t.actor_id, 'operation_id', t.operation_id, 'bot_id', t.bot_id, 'bot_version', t.bot_version,
                         'provider', t.provider, 'model', t.model, 'status', t.status, 'user_seq', t.user_seq, 'path', t.path, 'attempt', t.attempt, 'input_tokens', t.input_tokens,
                         'output_tokens', t.output_tokens, 'cached_tokens', t.cached_tokens, 'usage_estimated', t.usage_estimated, 'cost_micros', t.cost_micros,
                         'latency_ms', t.latency_ms, 'first_token_ms', t.first_token_ms, 'finish_reason', t.finish_reason, 'error', t.error, 'error_code', t.error_code,
                         'error_message', t.error_message, 'variables', t.variables, 'created_at', t.created_at, 'finished_at', t.finished_at)::text AS line
  FROM llm_turns t
  JOIN threads h ON h.workspace_id = t.workspace_id AND h.id = t.thread_id AND h.deleted_at IS NULL AND h.expires_at IS NULL
 WHERE t.workspace_id = @workspace_id ORDER BY t.id;

-- name: SnapshotMessages :many
SELECT json_build_object('id', m.id, 'thread_id', m.thread_id, 'turn_id', m.turn_id, 'seq', m.seq, 'role', m.role, 'content', m.content, 'status', m.status,
                         'citations', m.citations, 'structured', m.structured, 'operation_id', m.operation_id, 'created_at', m.created_at, 'erased_at', m.erased_at,
                         'attachments', CASE WHEN m.attached THEN app.attachments_of(m.workspace_id, m.turn_id) END)::text AS line
  FROM messages m
  JOIN threads h ON h.workspace_id = m.workspace_id AND h.id = m.thread_id AND h.deleted_at IS NULL AND h.expires_at IS NULL
 WHERE m.workspace_id = @workspace_id ORDER BY m.thread_id, m.seq;

-- name: SnapshotFeedback :many
SELECT json_build_object('thread_id', f.thread_id, 'seq', f.seq, 'user_id', f.user_id, 'rating', f.rating, 'comment', f.comment, 'created_at', f.created_at,
                         'updated_at', f.updated_at)::text AS line
  FROM message_feedback f
  JOIN threads h ON h.workspace_id = f.workspace_id AND h.id = f.thread_id AND h.deleted_at IS NULL AND h.expires_at IS NULL
 WHERE f.workspace_id = @workspace_id ORDER BY f.thread_id, f.user_id, f.seq;

-- name: SnapshotAuditLog :many
SELECT json_build_object('id', a.id, 'user_id', a.user_id, 'api_key_id', a.api_key_id, 'operation_id', a.operation_id, 'trace_id', a.trace_id, 'action', a.action,
                         'resource_type', a.resource_type, 'resource_id', a.resource_id, 'changes', a.changes, 'ip', host(a.ip), 'user_agent', a.user_agent,
                         'created_at', a.created_at)::text AS line
  FROM audit_log a WHERE a.workspace_id = @workspace_id ORDER BY a.id;

-- name: SnapshotTime :one
SELECT now()::timestamptz AS at;

-- name: SnapshotToolCalls :many
SELECT json_build_object('id', c.id, 'turn_id', c.turn_id, 'thread_id', c.thread_id, 'step', c.step, 'place', c.place, 'said', c.said, 'model_id', c.model_id, 'name', c.name,
                         'tool_id', c.tool_id, 'tool_version', c.tool_version, 'kind', c.kind, 'effect', c.effect, 'repeatable', c.repeatable, 'arguments', c.arguments,
                         'status', c.status, 'result', c.result, 'attempt', c.attempt, 'decided_by', c.decided_by, 'decided_at', c.decided_at, 'reason', c.reason,
                         'expires_at', c.expires_at, 'created_at', c.created_at, 'started_at', c.started_at, 'finished_at', c.finished_at)::text AS line
  FROM tool_calls c
  JOIN threads h ON h.workspace_id = c.workspace_id AND h.id = c.thread_id AND h.deleted_at IS NULL AND h.expires_at IS NULL
 WHERE c.workspace_id = @workspace_id ORDER BY c.turn_id, c.step, c.place;
