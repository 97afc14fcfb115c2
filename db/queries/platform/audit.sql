-- name: RecordAudit :exec
INSERT INTO audit_log (workspace_id, id, user_id, api_key_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent)
VALUES (@workspace_id, @id, @user_id, @api_key_id, @operation_id, @trace_id, @action, @resource_type, @resource_id, @changes, @ip, @user_agent);

-- name: ListAudit :many
SELECT id, workspace_id, user_id, api_key_id, operation_id, trace_id, action, resource_type, resource_id, changes, ip, user_agent, created_at
  FROM audit_log
 WHERE workspace_id = @workspace_id
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at')::timestamptz, sqlc.narg('before_id')::uuid))
   AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id')::uuid)
   AND (sqlc.narg('api_key_id')::uuid IS NULL OR api_key_id = sqlc.narg('api_key_id')::uuid)
   AND (sqlc.narg('action')::text IS NULL OR action = sqlc.narg('action')::text)
   AND (sqlc.narg('resource_type')::text IS NULL OR resource_type = sqlc.narg('resource_type')::text)
   AND (sqlc.narg('resource_id')::uuid IS NULL OR resource_id = sqlc.narg('resource_id')::uuid)
   AND (sqlc.narg('operation_id')::uuid IS NULL OR operation_id = sqlc.narg('operation_id')::uuid)
   AND (sqlc.narg('from_time')::timestamptz IS NULL OR created_at >= sqlc.narg('from_time')::timestamptz)
   AND (sqlc.narg('to_time')::timestamptz IS NULL OR created_at < sqlc.narg('to_time')::timestamptz)
 ORDER BY created_at DESC, id DESC
 LIMIT @count;

-- name: AuditToSeal :many
SELECT workspace_id::uuid AS workspace_id, since::timestamptz AS since, sealed_at::timestamptz AS sealed_at
  FROM app.audit_to_seal(@look_back::integer);

-- name: AuditSealed :exec
SELECT app.audit_sealed(@at::timestamptz);

-- name: RowsToSeal :many
-- EXCEPT, which hashes both sides: of NOT EXISTS the planner, who cannot see how many ids a seal has, made a loop in a loop.
SELECT a.id FROM audit_log a WHERE a.workspace_id = @workspace_id AND a.created_at >= @since
EXCEPT
SELECT unnest(s.row_ids) FROM audit_seals s WHERE s.workspace_id = @workspace_id AND s.sealed_at >= @since
 ORDER BY id
 LIMIT @count;

-- name: ReadForSeal :many
-- The bytes that a seal covers: every column, in one fixed form. The API key came later, so without one it is as before.
SELECT (jsonb_build_array(a.id, a.user_id, a.operation_id, a.trace_id, a.action, a.resource_type, a.resource_id, a.changes,
                         host(a.ip), a.user_agent, extract(epoch FROM a.created_at))
        || CASE WHEN a.api_key_id IS NULL THEN '[]' ELSE jsonb_build_array(a.api_key_id) END)::text AS bytes
  FROM (SELECT unnest(@ids::uuid[]) AS id) named
  JOIN audit_log a ON a.workspace_id = @workspace_id AND a.id = named.id
 ORDER BY a.id;

-- name: LastSeal :one
SELECT seq, mac FROM audit_seals WHERE workspace_id = @workspace_id ORDER BY seq DESC LIMIT 1;

-- name: SealHead :one
-- What the workspace's newest seal is said to be, and what its mac covers of the seal that it names; rows_after are those of
-- seals behind that.
SELECT h.seq, coalesce(h.mac_seq, 0)::bigint AS mac_seq, coalesce(h.mac_rows, 0)::bigint AS mac_rows, h.mac, h.key_id, h.anchored_seq,
       s.mac AS seal_mac, coalesce(s.sealed_at, 'epoch')::timestamptz AS sealed_at,
       coalesce((SELECT sum(cardinality(t.row_ids)) FROM audit_seals t
                  WHERE t.workspace_id = h.workspace_id AND t.seq > h.mac_seq), 0)::bigint AS rows_after
  FROM audit_seal_heads h
  LEFT JOIN audit_seals s ON s.workspace_id = h.workspace_id AND s.seq = h.mac_seq
 WHERE h.workspace_id = @workspace_id;

-- name: LockSealHead :one
-- Keeps sealers from a head until the transaction ends; makes it where there is none.
INSERT INTO audit_seal_heads (workspace_id, seq) VALUES (@workspace_id, 0)
ON CONFLICT (workspace_id) DO UPDATE SET seq = audit_seal_heads.seq
RETURNING (mac IS NULL)::boolean AS bare;

-- name: CountSealed :one
-- The newest seal, and how many rows all seals have named, those that were removed included.
SELECT coalesce(max(seq), 0)::bigint AS seq,
       (coalesce(sum(cardinality(row_ids)), 0) + coalesce((SELECT c.rows FROM audit_cuts c WHERE c.workspace_id = @workspace_id), 0))::bigint AS rows
  FROM audit_seals WHERE workspace_id = @workspace_id;

-- name: ReadCut :one
SELECT seq, rows, seal_mac, cut_at, mac, key_id FROM audit_cuts WHERE workspace_id = @workspace_id;

-- name: LockCut :one
SELECT seq, rows, seal_mac, cut_at, mac, key_id FROM audit_cuts WHERE workspace_id = @workspace_id FOR UPDATE;

-- name: RekeyCut :exec
-- The same cut under another key.
UPDATE audit_cuts SET mac = @mac, key_id = @key_id::bytea WHERE workspace_id = @workspace_id;

-- name: CutLimit :one
-- Rows that were written from this time on stay: the database refuses to remove them.
SELECT (now() - interval '90 days')::timestamptz AS youngest;

-- name: ReadForCut :many
-- ReadForSeal of several seals, with the time of each row.
SELECT a.id, app.audit_row_at(a.id, a.created_at)::timestamptz AS at,
       (jsonb_build_array(a.id, a.user_id, a.operation_id, a.trace_id, a.action, a.resource_type, a.resource_id, a.changes,
                         host(a.ip), a.user_agent, extract(epoch FROM a.created_at))
        || CASE WHEN a.api_key_id IS NULL THEN '[]' ELSE jsonb_build_array(a.api_key_id) END)::text AS bytes
  FROM (SELECT unnest(@ids::uuid[]) AS id) named
  JOIN audit_log a ON a.workspace_id = @workspace_id AND a.id = named.id
 ORDER BY a.id;

-- name: CutAudit :one
SELECT app.cut_audit(@after_seal, @last_seal, @total_rows, @last_mac, @its_time, @its_mac, @its_key)::integer AS removed;

-- name: SetSealHead :exec
UPDATE audit_seal_heads SET seq = @seq, mac_seq = @seq, mac_rows = @mac_rows, mac = @mac, key_id = @key_id::bytea WHERE workspace_id = @workspace_id;

-- name: RekeySealHead :exec
-- The same head under another key.
UPDATE audit_seal_heads SET mac = @mac, key_id = @key_id::bytea WHERE workspace_id = @workspace_id;

-- name: FindSeal :one
SELECT sealed_at, mac FROM audit_seals WHERE workspace_id = @workspace_id AND seq = @seq;

-- name: AnchoredHead :exec
UPDATE audit_seal_heads SET anchored_seq = @seq WHERE workspace_id = @workspace_id AND anchored_seq <> @seq;

-- name: AuditHeads :many
SELECT app.audit_heads(@which, @after, @most)::uuid;

-- name: AuditAdoption :one
SELECT coalesce(adopt_until, 'epoch')::timestamptz AS adopt_until, coalesce(adopt_mac, '')::bytea AS adopt_mac, heads::boolean AS heads
  FROM app.audit_adoption();

-- name: BeginAuditAdoption :exec
SELECT app.begin_audit_adoption(@until, @mac);

-- name: CreateSeal :one
WITH head AS (
    INSERT INTO audit_seal_heads AS h (workspace_id, seq, mac_seq, mac_rows, mac, key_id)
    VALUES (@workspace_id, @seq, sqlc.narg('mac_seq'), sqlc.narg('mac_rows'), sqlc.narg('head_mac'), @key_id::bytea)
    ON CONFLICT (workspace_id) DO UPDATE -- a head that does not fit stays as it is: nothing may hide that
       SET seq = excluded.seq, mac_seq = coalesce(excluded.mac_seq, h.mac_seq), mac_rows = coalesce(excluded.mac_rows, h.mac_rows),
           mac = coalesce(excluded.mac, h.mac), key_id = CASE WHEN excluded.mac IS NULL THEN h.key_id ELSE excluded.key_id END
), counted AS ( -- for analytics: a row is in one seal
    INSERT INTO analytics_outbox (workspace_id, kind, count, at)
    SELECT @workspace_id, 'audit', count(*), min(a.created_at)
      FROM (SELECT unnest(@row_ids::uuid[]) AS id) sealed
      JOIN audit_log a ON a.workspace_id = @workspace_id AND a.id = sealed.id
     GROUP BY (a.created_at AT TIME ZONE 'UTC')::date
)
INSERT INTO audit_seals (workspace_id, seq, row_ids, sealed_at, mac, key_id)
VALUES (@workspace_id, @seq, @row_ids::uuid[], @sealed_at, @mac, @key_id::bytea)
RETURNING seq;

-- name: ListSeals :many
SELECT seq, row_ids, sealed_at, mac, key_id FROM audit_seals
 WHERE workspace_id = @workspace_id AND seq > @after ORDER BY seq LIMIT @count;

-- name: CheckUnsealed :one
-- How many rows are in no seal, and the first seal that came so long after one of them that it would have had it: 0 where
-- there is none, as there should be.
WITH bare AS (
    SELECT count(*) AS rows, min(in_no_seal.created_at) AS oldest FROM (
        SELECT a.id, a.created_at FROM audit_log a WHERE a.workspace_id = @workspace_id
        EXCEPT
        SELECT a.id, a.created_at
          FROM (SELECT unnest(s.row_ids) AS id FROM audit_seals s WHERE s.workspace_id = @workspace_id) sealed
          JOIN audit_log a ON a.workspace_id = @workspace_id AND a.id = sealed.id
    ) in_no_seal
)
SELECT bare.rows, coalesce((SELECT min(s.seq) FROM audit_seals s
                             WHERE s.workspace_id = @workspace_id AND extract(epoch FROM s.sealed_at - bare.oldest) > @look_back::integer), 0)::bigint AS passed_over
  FROM bare;
