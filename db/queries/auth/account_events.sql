-- name: RecordAccountEvent :exec
-- At most 1,000 events a day of one account are kept: who has its password cannot fill the table.
INSERT INTO account_events (user_id, id, action, reason, wanted_workspace_id, operation_id, trace_id, ip, user_agent)
SELECT @user_id, @id, @action, @reason, sqlc.narg('wanted_workspace_id'), sqlc.narg('operation_id'), @trace_id, sqlc.narg('ip'), @user_agent
 WHERE (SELECT count(*) FROM (SELECT FROM account_events e
                               WHERE e.user_id = @user_id AND e.created_at > now() - interval '1 day' LIMIT 1000) recent) < 1000;

-- name: ExpireAccountEvents :one
SELECT app.expire_account_events(@most::integer)::integer;
