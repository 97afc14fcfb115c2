-- name: EndAuthority :one
-- Ends what a member gave or made beyond what is left to it, and counts it.
SELECT invitations::integer AS invitations, api_keys::integer AS api_keys, subscriptions::integer AS subscriptions
  FROM app.end_authority(@workspace_id::uuid, @member::uuid, @invites::text[], @keys::text[], @subscribes::boolean);

-- name: LockInviter :one
-- The role that the inviter has now, which nobody changes until the transaction ends; no row: the inviter is no member.
SELECT m.user_id, m.role
  FROM invitations i
  JOIN workspace_members m ON m.workspace_id = i.workspace_id AND m.user_id = i.invited_by
 WHERE i.workspace_id = @workspace_id AND i.id = @id
   FOR SHARE OF m;

-- name: ListResources :many
-- What a member or an API key is responsible for; of a member also what its keys are.
SELECT kind::text AS kind, id::uuid AS id, name::text AS name, status::text AS status, created_by::uuid AS created_by,
       responsible_id::uuid AS responsible_id, created_at::timestamptz AS created_at, stopped_at
  FROM app.resources
 WHERE workspace_id = @workspace_id AND (member_id = @responsible_id OR responsible_id = @responsible_id)
   AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
 ORDER BY id DESC
 LIMIT @count;

-- name: WasMember :one
-- Whether somebody is a member, or was one and has left something that is still known of.
SELECT (EXISTS (SELECT FROM workspace_members m WHERE m.workspace_id = @workspace_id AND m.user_id = @user_id)
     OR EXISTS (SELECT FROM api_keys k WHERE k.workspace_id = @workspace_id AND k.created_by = @user_id)
     OR EXISTS (SELECT FROM app.resources r WHERE r.workspace_id = @workspace_id AND @user_id IN (r.created_by, r.member_id))
     OR EXISTS (SELECT FROM invitations i WHERE i.workspace_id = @workspace_id AND @user_id IN (i.invited_by, i.accepted_by)))::boolean;

-- name: ListGuests :many
-- Whose membership came from an invitation of a member, or of somebody whom that one invited, and so on, also where those in between
-- have left.
WITH RECURSIVE guests AS (
    SELECT i.accepted_by AS user_id FROM invitations i
     WHERE i.workspace_id = @workspace_id AND i.invited_by = @member AND i.accepted_by IS NOT NULL
    UNION
    SELECT i.accepted_by FROM guests g
      JOIN invitations i ON i.workspace_id = @workspace_id AND i.invited_by = g.user_id AND i.accepted_by IS NOT NULL
)
SELECT m.user_id
  FROM workspace_members m
  JOIN invitations i ON i.workspace_id = m.workspace_id AND i.accepted_by = m.user_id AND i.accepted_at = m.created_at
 WHERE m.workspace_id = @workspace_id AND m.user_id <> @member AND (i.invited_by = @member OR i.invited_by IN (SELECT user_id FROM guests))
 ORDER BY m.user_id;
