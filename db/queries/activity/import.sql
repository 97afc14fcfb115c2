-- What parley import writes: rows of an archive, as JSON that was checked against the bounds of each field, into a workspace that
-- was made in the same transaction. Foreign keys carry the workspace, so that a row refers to rows of the archive alone.

-- name: ImportWorkspace :exec
INSERT INTO workspaces (id, name, created_at) VALUES (@id, @name, @moment);

-- name: ImportOwner :exec
INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES (@workspace_id, @user_id, 'owner', @moment);

-- name: ImportModelSettings :exec
INSERT INTO model_settings (workspace_id, default_model, fallbacks, updated_at)
SELECT @workspace_id, r.default_model, r.fallbacks, @moment FROM jsonb_to_recordset(@rows::jsonb) AS r(default_model text, fallbacks text[]);

-- name: ImportKnowledgeBases :exec
INSERT INTO knowledge_bases (workspace_id, id, name, description, language, embedding_model, chunk_size, chunk_overlap, created_by, created_at, updated_at)
SELECT @workspace_id, r.id, r.name, r.description, r.language, r.embedding_model, r.chunk_size, r.chunk_overlap, r.created_by, r.created_at, r.updated_at
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, name text, description text, language text, embedding_model text, chunk_size integer, chunk_overlap integer,
                                             created_by uuid, created_at timestamptz, updated_at timestamptz);

-- name: ImportFiles :exec
INSERT INTO files (workspace_id, id, name, content_type, size, sha256, created_by, created_at, owner_id)
SELECT @workspace_id, r.id, r.name, r.content_type, r.size, decode(r.sha256, 'hex'), r.created_by, r.created_at, r.owner_id
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, name text, content_type text, size bigint, sha256 text, created_by uuid, created_at timestamptz, owner_id uuid);

-- name: ImportDocuments :exec
-- They wait to be indexed: the task that looks for documents without a job queues one for each.
WITH made AS (
    INSERT INTO documents (workspace_id, id, base_id, file_id, title, metadata, content_type, content_hash, size, status, building, build_size, build_overlap,
                           created_by, created_at, updated_at)
    SELECT @workspace_id, r.id, r.knowledge_base_id, r.file_id, r.title, r.metadata, r.content_type, decode(r.content_hash, 'hex'), r.size, 'queued', 1,
           b.chunk_size, b.chunk_overlap, r.created_by, r.created_at, r.updated_at
      FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, knowledge_base_id uuid, file_id uuid, title text, metadata jsonb, content_type text, content_hash text, size bigint,
                                                 created_by uuid, created_at timestamptz, updated_at timestamptz)
      LEFT JOIN knowledge_bases b ON b.workspace_id = @workspace_id AND b.id = r.knowledge_base_id
    RETURNING id, file_id
)
INSERT INTO document_files (workspace_id, file_id, document_id) SELECT @workspace_id, made.file_id, made.id FROM made WHERE made.file_id IS NOT NULL;

-- name: ImportDocumentTexts :exec
-- Only the texts that documents were made of; the others are extracted anew.
INSERT INTO document_texts (workspace_id, document_id, generation, text, outline)
SELECT @workspace_id, r.document_id, 0, r.text, '' FROM jsonb_to_recordset(@rows::jsonb) AS r(document_id uuid, source boolean, text text) WHERE r.source;

-- name: ImportTools :exec
INSERT INTO tools (workspace_id, id, kind, name, current_version, created_by, created_at, updated_at)
SELECT @workspace_id, r.id, r.kind, r.name, r.current_version, r.created_by, r.created_at, r.updated_at
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, kind text, name text, current_version integer, created_by uuid, created_at timestamptz, updated_at timestamptz);

-- name: ImportToolVersions :exec
INSERT INTO tool_versions (workspace_id, tool_id, version, description, schema, effect, timeout_ms, max_output_bytes, url, method, idempotency_header, remote_name,
                           definition_hash, redact, note, created_by, created_at)
SELECT @workspace_id, r.tool_id, r.version, r.description, r.schema::text, r.effect, r.timeout_ms, r.max_output_bytes, r.url, r.method, r.idempotency_header,
       coalesce(r.remote_name, ''), coalesce(r.definition_hash, ''), coalesce(r.redact, '{}'), r.note, r.created_by, r.created_at
  FROM json_to_recordset(@rows::json) AS r(tool_id uuid, version integer, description text, schema json, effect text, timeout_ms integer, max_output_bytes integer,
                                            url text, method text, idempotency_header text, remote_name text, definition_hash text, redact text[], note text, created_by uuid, created_at timestamptz);

-- name: ImportBots :exec
INSERT INTO bots (workspace_id, id, name, status, current_version, published_version, created_by, created_at, updated_at)
SELECT @workspace_id, r.id, r.name, r.status, r.current_version, r.published_version, r.created_by, r.created_at, r.updated_at
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, name text, status text, current_version integer, published_version integer, created_by uuid,
                                             created_at timestamptz, updated_at timestamptz);

-- name: ImportBotVersions :exec
INSERT INTO bot_versions (workspace_id, bot_id, version, instruction, settings, note, created_by, created_at)
SELECT @workspace_id, r.bot_id, r.version, r.instruction, r.settings, r.note, r.created_by, r.created_at
  FROM jsonb_to_recordset(@rows::jsonb) AS r(bot_id uuid, version integer, instruction text, settings jsonb, note text, created_by uuid, created_at timestamptz);

-- name: ImportBotHistory :exec
INSERT INTO bot_pointer_moves (workspace_id, bot_id, number, pointer, from_version, to_version, cause, moved_by, moved_at)
SELECT @workspace_id, r.bot_id, r.number, r.pointer, r.from_version, r.to_version, r.cause, r.moved_by, r.moved_at
  FROM jsonb_to_recordset(@rows::jsonb) AS r(bot_id uuid, number integer, pointer text, from_version integer, to_version integer, cause text, moved_by uuid, moved_at timestamptz);

-- name: ImportEndUsers :exec
-- A bot that the archive does not have is a null, which is refused.
WITH made AS (
    INSERT INTO end_users (workspace_id, id, external_id, name, metadata, created_at, last_token_at, revoked_at)
    SELECT @workspace_id, r.id, r.external_id, r.name, r.metadata, r.created_at, r.last_token_at, r.revoked_at
      FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, external_id text, name text, metadata jsonb, created_at timestamptz, last_token_at timestamptz,
                                                 revoked_at timestamptz)
)
INSERT INTO end_user_bots (workspace_id, end_user_id, bot_id)
SELECT @workspace_id, r.id, (SELECT b.id FROM bots b WHERE b.workspace_id = @workspace_id AND b.id = n.bot_id::uuid)
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, bots jsonb)
 CROSS JOIN jsonb_array_elements_text(r.bots) AS n(bot_id);

-- name: ImportThreads :exec
-- Conversations of outside systems go on by an endpoint, whose address and secret are made anew: the threads stay, without one. Their end
-- users are there already; an owner that is no end user is an API key of the other installation, which no caller here is.
INSERT INTO threads (workspace_id, id, bot_id, status, title, metadata, variables, last_seq, created_by, created_at, owner_id, end_user_id, path)
SELECT @workspace_id, r.id, r.bot_id, r.status, r.title, r.metadata, coalesce(r.variables, '{}'), r.last_seq, r.created_by, r.created_at, r.owner_id, r.end_user_id, r.path
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, bot_id uuid, status text, title text, metadata jsonb, variables jsonb, last_seq bigint, created_by uuid, created_at timestamptz,
                                             owner_id uuid, end_user_id uuid, path int8multirange);

-- name: ImportTurns :exec
-- A turn that ran at the moment of the export has failed here.
INSERT INTO llm_turns (workspace_id, id, thread_id, actor_id, operation_id, bot_id, bot_version, provider, model, status, user_seq, attempt, lease_until, input_tokens,
                       output_tokens, cached_tokens, usage_estimated, cost_micros, latency_ms, first_token_ms, finish_reason, error, error_code, error_message,
                       variables, created_at, finished_at, path)
SELECT @workspace_id, r.id, r.thread_id, r.actor_id, r.operation_id, r.bot_id, r.bot_version, r.provider, r.model,
       CASE r.status WHEN 'running' THEN 'failed' ELSE r.status END, r.user_seq, r.attempt, r.created_at, r.input_tokens,
       r.output_tokens, r.cached_tokens, r.usage_estimated, r.cost_micros, r.latency_ms, r.first_token_ms, r.finish_reason, r.error, r.error_code, r.error_message,
       r.variables, r.created_at, coalesce(r.finished_at, r.created_at), r.path
  FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, thread_id uuid, actor_id uuid, operation_id uuid, bot_id uuid, bot_version integer, provider text, model text,
                                             status text, user_seq bigint, attempt integer, input_tokens integer, output_tokens integer, cached_tokens integer,
                                             usage_estimated boolean, cost_micros bigint, latency_ms integer, first_token_ms integer, finish_reason text, error text,
                                             error_code text, error_message text, variables jsonb, created_at timestamptz, finished_at timestamptz, path int8multirange);

-- name: ImportMessages :exec
-- Which documents a turn quotes is noted, so that their erasure finds the quotes.
WITH made AS (
    INSERT INTO messages (workspace_id, id, thread_id, turn_id, seq, role, content, status, citations, structured, operation_id, created_at, erased_at, attached)
    SELECT @workspace_id, r.id, r.thread_id, r.turn_id, r.seq, r.role, r.content, r.status, r.citations, coalesce(r.structured, false), r.operation_id, r.created_at, r.erased_at,
           r.role = 'user' AND r.turn_id IS NOT NULL AND jsonb_typeof(r.attachments) IS NOT DISTINCT FROM 'array'
      FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, thread_id uuid, turn_id uuid, seq bigint, role text, content text, status text, citations jsonb, structured boolean, operation_id uuid,
                                                 created_at timestamptz, erased_at timestamptz, attachments jsonb)
    RETURNING turn_id, citations
), attachments AS (
    INSERT INTO message_attachments (workspace_id, turn_id, place, file_id, stored_id, name, media_type, size)
    SELECT @workspace_id, r.turn_id, a.place - 1, (a.value ->> 'file_id')::uuid,
           (SELECT f.id FROM files f WHERE f.workspace_id = @workspace_id AND f.id = (a.value ->> 'file_id')::uuid),
           a.value ->> 'name', a.value ->> 'media_type', (a.value ->> 'size')::bigint
      FROM jsonb_to_recordset(@rows::jsonb) AS r(turn_id uuid, role text, attachments jsonb)
     CROSS JOIN jsonb_array_elements(CASE jsonb_typeof(r.attachments) WHEN 'array' THEN r.attachments ELSE '[]' END) WITH ORDINALITY a(value, place)
     WHERE r.role = 'user' AND r.turn_id IS NOT NULL
)
INSERT INTO retrieved_documents (workspace_id, document_id, turn_id)
SELECT DISTINCT @workspace_id::uuid, (c.value ->> 'document_id')::uuid, made.turn_id
  FROM made, jsonb_array_elements(made.citations) c(value)
 WHERE made.turn_id IS NOT NULL;

-- name: ImportFeedback :exec
INSERT INTO message_feedback (workspace_id, thread_id, user_id, seq, rating, comment, created_at, updated_at)
SELECT @workspace_id, r.thread_id, r.user_id, r.seq, r.rating, r.comment, r.created_at, r.updated_at
  FROM jsonb_to_recordset(@rows::jsonb) AS r(thread_id uuid, user_id uuid, seq bigint, rating text, comment text, created_at timestamptz, updated_at timestamptz);

-- name: CountThreadsBehind :one
-- Threads whose next message would have the number of one that is there.
SELECT count(*) FROM threads t
 WHERE t.workspace_id = @workspace_id
   AND EXISTS (SELECT FROM messages m WHERE m.workspace_id = t.workspace_id AND m.thread_id = t.id AND m.seq > t.last_seq);

-- name: CheckImported :exec
SET CONSTRAINTS ALL IMMEDIATE;

-- name: ImportToolCalls :exec
-- Calls that were open belong to turns that have failed here. A turn that is tried again goes on after its steps.
WITH made AS (
    INSERT INTO tool_calls (workspace_id, id, turn_id, thread_id, step, place, said, model_id, name, tool_id, tool_version, kind, effect, repeatable, arguments, status,
                            result, attempt, decided_by, decided_at, reason, expires_at, created_at, started_at, finished_at)
    SELECT @workspace_id, r.id, r.turn_id, r.thread_id, r.step, r.place, r.said, r.model_id, r.name, r.tool_id, r.tool_version, r.kind, r.effect, r.repeatable, r.arguments,
           CASE WHEN r.status = 'running' AND r.effect = 'write' THEN 'unknown' WHEN r.status IN ('waiting', 'approved', 'running') THEN 'cancelled' ELSE r.status END,
           r.result, r.attempt, r.decided_by, r.decided_at, r.reason, r.expires_at, r.created_at, r.started_at, coalesce(r.finished_at, r.created_at)
      FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, turn_id uuid, thread_id uuid, step smallint, place smallint, said text, model_id text, name text, tool_id uuid,
                                                 tool_version integer, kind text, effect text, repeatable boolean, arguments jsonb, status text, result text, attempt integer,
                                                 decided_by uuid, decided_at timestamptz, reason text, expires_at timestamptz, created_at timestamptz,
                                                 started_at timestamptz, finished_at timestamptz)
    RETURNING turn_id, step
)
UPDATE llm_turns t SET tool_steps = greatest(t.tool_steps, m.steps)
  FROM (SELECT turn_id, max(step) AS steps FROM made GROUP BY turn_id) m
 WHERE t.workspace_id = @workspace_id AND t.id = m.turn_id;
