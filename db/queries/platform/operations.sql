-- name: ClaimOperation :exec
SELECT app.claim_operation(@workspace_id::uuid, @actor_id::uuid, @id::uuid, @fingerprint::bytea, @version::smallint);

-- name: FinishOperation :exec
-- One that took longer than an hour is as old as its answer, which is kept for seven days from now.
UPDATE operations
   SET created_at = CASE WHEN created_at < now() - interval '1 hour' THEN now() ELSE created_at END,
       finished_at = now(), status = @status::smallint, content_type = @content_type::text,
       location = sqlc.narg('location'), etag = sqlc.narg('etag'), body = @body::bytea, sealed = @sealed
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id;

-- name: FindOperation :one
SELECT fingerprint, fingerprint_version, finished_at, status, content_type, location, etag, body, sealed,
       (finished_at IS NOT NULL AND (body IS NULL OR finished_at < now() - CASE WHEN sealed THEN interval '1 hour' ELSE interval '7 days' END))::boolean AS expired
  FROM operations
 WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id;

-- name: ExpireOperations :one
-- Empties answers older than 7 days and removes tombstones older than 97; says how many rows it touched.
SELECT app.expire_operations(@most::integer)::integer;

-- name: ExpireSealedAnswers :one
SELECT app.expire_sealed_answers()::integer;

-- name: AnswersToReseal :many
SELECT actor_id, id, body FROM operations
 WHERE workspace_id = @workspace_id AND sealed AND (actor_id, id) > (@after_actor::uuid, @after_id::uuid) AND substring(body FROM 1 FOR 9) <> @mark::bytea
 ORDER BY actor_id, id
 LIMIT @count
   FOR UPDATE;

-- name: ResealAnswer :exec
UPDATE operations SET body = @body::bytea WHERE workspace_id = @workspace_id AND actor_id = @actor_id AND id = @id AND sealed;

-- name: FindRecentOperation :one
-- The newest operation of an actor for the same request, among those whose ids this program has made since a time: such ids are in the
-- order of time. It looks at the newest max_rows.
WITH recent AS (
    SELECT o.id, o.fingerprint FROM operations o
     WHERE o.workspace_id = @workspace_id AND o.actor_id = @actor_id AND o.id BETWEEN @first::uuid AND @last::uuid
     ORDER BY o.id DESC
     LIMIT @max_rows
)
SELECT recent.id FROM recent WHERE recent.fingerprint = @fingerprint::bytea ORDER BY recent.id DESC LIMIT 1;
