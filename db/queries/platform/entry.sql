-- The first statement of every transaction: it takes the working role, bounds how long the transaction may take, and says
-- for whom it works. All of it in the transaction, so that it holds behind a pooler too. It says the tag back that it is
-- given, which tells whose results follow where several transactions share a connection.

-- name: EnterSession :exec
-- Lets a living session of the home workspace into a workspace that its user is a member of with one of these roles; raises PY401, PY403, PY410, PYROL, PY2FA or PYREA for all else.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('statement_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '15s', true),
       app.enter(@session_id::uuid, @user_id::uuid, @home_id::uuid, @workspace_id::uuid, @roles::text[], @deleted::boolean, @fresh::boolean,
                 @without_factor::boolean),
       @tag::bigint AS tag;

-- name: EnterAccount :exec
-- Lets a living session of a user in who is in no workspace; raises PY401 or PYREA for all else.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('statement_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '15s', true),
       app.enter_account(@session_id::uuid, @user_id::uuid, @fresh::boolean),
       @tag::bigint AS tag;

-- name: EnterKey :exec
-- Lets a good API key with one of these roles into its workspace; raises PY401, PY410, PYKEY or PYROL for all else.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('statement_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '15s', true),
       app.enter_key(@key_id::uuid, @workspace_id::uuid, @roles::text[], @may::text),
       @tag::bigint AS tag;

-- name: EnterTenant :exec
-- For work whose right to a workspace is settled already: what a call goes on with after its first transaction, jobs, log-in.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('statement_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '15s', true),
       app.set_tenant(@workspace_id::text, @user_id::text, '', ''),
       @tag::bigint AS tag;

-- name: EnterNowhere :exec
-- For a call that has no workspace yet: row-level security shows it no row, and it reads by cross-tenant functions alone.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('statement_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '15s', true),
       @tag::bigint AS tag;

-- name: BoundRead :exec
-- For a read that may be slow, behind its entry: how long its statement may take, in milliseconds. It is planned each time
-- for the parameters that it is given: the plan for all of them goes by no index of an optional filter.
SELECT set_config('statement_timeout', @milliseconds::text, true), set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: RelaxCommit :exec
-- The commit of this transaction does not wait for the disk. Only for one whose loss nobody can notice: the first of a
-- turn, as nothing is acknowledged before the second, whose commit takes the first to the disk with it.
SELECT set_config('synchronous_commit', 'off', true);

-- name: EndedAccess :many
-- Of many callers those whose calls the entry would refuse now, each by its number and with the SQLSTATE that says why.
SELECT n::integer AS n, state::text AS state, detail::text AS detail FROM app.ended_access(@callers::jsonb);

-- name: EnterEndUser :exec
-- Lets an end user with a token in; raises PY401, PY410, PYKEY or PYROL for all else.
SELECT set_config('role', 'parley_app', true),
       set_config('transaction_read_only', @read_only::text, true),
       set_config('statement_timeout', '30s', true), set_config('idle_in_transaction_session_timeout', '15s', true),
       app.enter_end_user(@end_user_id::uuid, @key_id::uuid, @bot_id::uuid, @workspace_id::uuid, @roles::text[], @may::text),
       @tag::bigint AS tag;
