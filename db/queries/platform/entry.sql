-- The first statement of every transaction: it takes the working role and says for whom the transaction works.

-- name: EnterSession :exec
-- Lets a living session of a member into a workspace; raises PY401 or PY403 for all else.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       app.enter(@session_id::uuid, @user_id::uuid, @workspace_id::uuid);

-- name: EnterTenant :exec
-- For work whose right to a workspace is settled already: what a call goes on with after its first transaction, jobs, log-in.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('app.workspace_id', @workspace_id::text, true),
       set_config('app.user_id', @user_id::text, true);

-- name: EnterNowhere :exec
-- For a call that has no workspace yet: it sees no row, and gets on through the narrow doors alone.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true);
