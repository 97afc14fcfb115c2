package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
)

// tenancyChecks look for gaps in the tenant policies (semantics 1). Each query gives a line a hole.
//
// Not walled by workspace_id are, by name: schema_migrations and applied_migrations, which are the migrator's and closed to parley_app;
// workspaces, whose id is the workspace; users, who are persons and may belong to several workspaces: each sees itself; account_devices, account_events, account_sessions, account_identities, account_links, account_totp, account_recovery_codes and account_tickets, whose rows belong to a user;
// account_emails, sign_ins, login_attempts, audit_seal_progress, installation, retired_keys, upkeep, periodic_tasks, turn_processes and workspace_purges, which belong to no workspace and only the doors reach.
var tenancyChecks = []string{
	// every other table carries workspace_id, enforces row security on its owner too, and has the one policy
	`WITH walled AS (` + walled + `)
	 SELECT format('%s has no workspace_id uuid NOT NULL', tab) FROM walled
	  WHERE NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = tab AND a.attname = 'workspace_id'
	                       AND a.attnotnull AND a.atttypid = 'uuid'::regtype)
	 UNION ALL
	 SELECT format('%s has no policy with exactly the tenant expression', tab) FROM walled
	  WHERE NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = tab AND p.polname = 'tenant' AND p.polcmd = '*'
	                       AND p.polpermissive AND p.polroles = ARRAY['parley_app'::regrole]::oid[]
	                       AND pg_get_expr(p.polqual, tab) = '(workspace_id = (NULLIF(current_setting(''app.workspace_id''::text, true), ''''::text))::uuid)'
	                       AND pg_get_expr(p.polwithcheck, tab) = pg_get_expr(p.polqual, tab))
	 UNION ALL
	 SELECT format('%s would outlive its workspace (app.let_purge)', tab) FROM walled
	  WHERE NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = tab AND p.polname = 'purge' AND p.polcmd = 'd')
	     OR NOT has_table_privilege('parley_door', tab, 'DELETE')
	 UNION ALL
	 SELECT format('%s has no primary or unique key that starts with workspace_id', tab) FROM walled
	  WHERE NOT EXISTS (SELECT 1 FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
	                     WHERE c.conrelid = tab AND c.contype IN ('p', 'u') AND a.attname = 'workspace_id')
	 UNION ALL
	 SELECT format('%s points at %s without its workspace_id (%s)', c.conrelid::regclass, c.confrelid::regclass, c.conname)
	   FROM pg_constraint c JOIN walled ON walled.tab = c.confrelid
	  WHERE c.contype = 'f' AND NOT EXISTS (
	        SELECT 1 FROM unnest(c.conkey, c.confkey) AS k(here, there)
	          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.here
	          JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.there
	         WHERE a.attname = 'workspace_id' AND b.attname = 'workspace_id')`,
	// row security stands on all of them, the global ones included, and nobody else has a policy that changes anything
	`SELECT format('%s does not enforce row security on everybody', c.oid::regclass) FROM pg_class c
	  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('schema_migrations', 'applied_migrations')
	    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
	 UNION ALL
	 SELECT format('%s on %s lets other roles than parley_app and parley_door through', polname, polrelid::regclass) FROM pg_policy
	  WHERE NOT polroles <@ ARRAY['parley_app'::regrole, 'parley_door'::regrole]::oid[]
	 UNION ALL
	 SELECT format('%s on %s lets parley_door do more than SELECT', polname, polrelid::regclass) FROM pg_policy
	  WHERE 'parley_door'::regrole = ANY (polroles) AND (polcmd <> 'r' OR array_length(polroles, 1) <> 1)
	    AND NOT (polname = 'purge' AND polcmd = 'd' AND pg_get_expr(polqual, polrelid) LIKE '%deleted_at < (now() - ''30 days''::interval)%')
	    AND NOT (polname = 'erase' AND pg_get_expr(polwithcheck, polrelid) = pg_get_expr(polqual, polrelid) -- of the transaction's workspace
	        AND pg_get_expr(polqual, polrelid) = '(workspace_id = (NULLIF(current_setting(''app.workspace_id''::text, true), ''''::text))::uuid)')
	    AND polname || ' ' || polrelid::regclass NOT IN (
	        'purge users', 'door_yield users', 'door_take users', 'door account_events', 'door workspace_purges', 'progress workspace_purges', 'door login_attempts', 'door account_failures', 'door login_networks', 'door mail_counts', 'door account_emails', 'door account_links', 'door account_identities', 'door sign_ins', 'door account_tickets', 'door installation', 'door retired_keys', 'door upkeep', 'door audit_seal_progress', 'cut audit_cuts', 'cut_on audit_cuts', 'cut audit_seals', 'cut audit_log', 'door operations', 'door_end sessions', 'door_expire sessions', 'door_expire account_sessions', 'door_end account_sessions',
	        'door job_queue', 'door job_targets', 'door dead_letter_queue', 'door periodic_tasks', 'door turn_processes', 'door_lease llm_turns', 'door webhook_deliveries', 'door event_bodies', 'door webhook_events',
	        'old usage_counters', 'old usage_warnings', 'door turn_events', 'door analytics_outbox', 'door analytics_daily', 'door analytics_latency', 'door analytics_quarters', 'door analytics_latency_quarters')
	 UNION ALL
	 SELECT format('%s on %s is one policy too many for parley_app', polname, polrelid::regclass) FROM pg_policy
	  WHERE 'parley_app'::regrole = ANY (polroles) AND (polname NOT IN ('key_bots', 'key_bots_delete', 'owner') OR polpermissive) AND polname <> CASE WHEN polrelid::regclass::text IN ('users', 'account_devices', 'account_events', 'account_sessions', 'account_links', 'account_identities', 'account_totp', 'account_recovery_codes', 'account_tickets') THEN 'self' ELSE 'tenant' END
	 UNION ALL
	 SELECT 'workspaces does not keep to its own id' WHERE NOT EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = 'workspaces'::regclass
	    AND pg_get_expr(polqual, polrelid) = '(id = (NULLIF(current_setting(''app.workspace_id''::text, true), ''''::text))::uuid)'
	    AND pg_get_expr(polwithcheck, polrelid) = pg_get_expr(polqual, polrelid))
	 UNION ALL
	 SELECT format('%s does not keep to its user', tab) FROM unnest(ARRAY['account_devices', 'account_events', 'account_sessions', 'account_links', 'account_identities', 'account_totp', 'account_recovery_codes', 'account_tickets']) tab
	  WHERE NOT EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = tab::regclass
	    AND pg_get_expr(polqual, polrelid) = '(user_id = (NULLIF(current_setting(''app.user_id''::text, true), ''''::text))::uuid)'
	    AND pg_get_expr(polwithcheck, polrelid) = pg_get_expr(polqual, polrelid))
	 UNION ALL
	 SELECT 'users does not keep to its own id' WHERE NOT EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = 'users'::regclass
	    AND pg_get_expr(polqual, polrelid) = '(id = (NULLIF(current_setting(''app.user_id''::text, true), ''''::text))::uuid)'
	    AND pg_get_expr(polwithcheck, polrelid) = pg_get_expr(polqual, polrelid))`,
	// what the working roles are and may
	`SELECT format('%s is more than a plain role', rolname) FROM pg_roles WHERE rolname IN ('parley_app', 'parley_door')
	    AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin)
	 UNION ALL
	 SELECT format('parley_app is a member of %s', roleid::regrole) FROM pg_auth_members WHERE member = 'parley_app'::regrole
	 UNION ALL
	 SELECT format('parley_app owns %s', oid::regclass) FROM pg_class WHERE relowner = 'parley_app'::regrole
	 UNION ALL
	 SELECT format('parley_app owns %s', oid::regprocedure) FROM pg_proc WHERE proowner = 'parley_app'::regrole
	 UNION ALL
	 SELECT format('parley_app owns schema %s', nspname) FROM pg_namespace WHERE nspowner = 'parley_app'::regrole
	 UNION ALL
	 SELECT format('%s may CREATE in schema %s', r, nspname) FROM pg_namespace, unnest(ARRAY['parley_app', 'parley_door']) r
	  WHERE nspname IN ('public', 'app') AND has_schema_privilege(r, nspname, 'CREATE')
	 UNION ALL
	 SELECT format('parley_app may %s %s', may, c.oid::regclass)
	   FROM pg_class c, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) may
	  WHERE c.relnamespace IN ('public'::regnamespace, 'app'::regnamespace) AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege('parley_app', c.oid, may)
	 UNION ALL
	 SELECT format('parley_app may %s %s', may, c.oid::regclass)
	   FROM pg_class c, unnest(ARRAY['UPDATE', 'DELETE']) may
	  WHERE c.relname IN ('audit_log', 'audit_seals', 'account_events', 'messages', 'bot_versions', 'bot_pointer_moves', 'webhook_attempts', 'webhook_events', 'event_bodies') AND c.relnamespace = 'public'::regnamespace
	    AND (has_table_privilege('parley_app', c.oid, may)
	         OR may <> 'DELETE' AND c.relname NOT IN ('webhook_events', 'messages') AND has_any_column_privilege('parley_app', c.oid, may))
	 UNION ALL
	 SELECT format('parley_app may change the %s of a message', attname) FROM pg_attribute -- citations lose the quotes of files that are deleted
	  WHERE attrelid = 'messages'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'citations' AND has_column_privilege('parley_app', attrelid, attname, 'UPDATE')
	 UNION ALL
	 SELECT format('parley_app may change the %s of an event', attname) FROM pg_attribute
	  WHERE attrelid = 'webhook_events'::regclass AND attname IN ('endpoint_id', 'webhook_id', 'kind', 'payload', 'body', 'conversation_id', 'received_at')
	    AND has_column_privilege('parley_app', attrelid, attname, 'UPDATE')
	 UNION ALL
	 SELECT format('parley_app may touch %s', c.oid::regclass) FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) may
	  WHERE c.oid IN (to_regclass('public.schema_migrations'), to_regclass('public.applied_migrations')) AND has_table_privilege('parley_app', c.oid, may)
	 UNION ALL
	 SELECT format('parley_door may %s %s', may, c.oid::regclass)
	   FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) may
	  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND has_table_privilege('parley_door', c.oid, may)
	    AND NOT (may = 'DELETE' AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'purge')) -- of purged workspaces
	    AND may || ' ' || c.relname NOT IN (
	        'INSERT workspace_purges', 'INSERT installation', 'INSERT retired_keys', 'INSERT login_attempts', 'UPDATE login_attempts', 'DELETE login_attempts',
	        'INSERT account_failures', 'UPDATE account_failures', 'DELETE account_failures', 'INSERT login_networks', 'UPDATE login_networks', 'DELETE login_networks', 'INSERT mail_counts', 'UPDATE mail_counts', 'DELETE mail_counts', 'INSERT account_emails', 'UPDATE account_emails', 'DELETE account_emails', 'DELETE account_links', 'INSERT sign_ins', 'UPDATE sign_ins', 'DELETE sign_ins', 'DELETE account_tickets',
	        'INSERT audit_seal_progress', 'UPDATE audit_seal_progress', 'INSERT audit_cuts', 'UPDATE audit_cuts', 'UPDATE upkeep', 'DELETE operations',
	        'DELETE job_queue', 'DELETE dead_letter_queue', 'INSERT periodic_tasks', 'UPDATE periodic_tasks', 'INSERT turn_processes', 'UPDATE turn_processes', 'DELETE turn_processes',
	        'DELETE webhook_deliveries', 'DELETE webhook_events', 'DELETE turn_events', 'DELETE account_events', 'DELETE account_sessions', 'DELETE analytics_outbox',
	        'INSERT analytics_daily', 'UPDATE analytics_daily', 'INSERT analytics_latency', 'UPDATE analytics_latency',
	        'INSERT analytics_quarters', 'UPDATE analytics_quarters', 'INSERT analytics_latency_quarters', 'UPDATE analytics_latency_quarters')
	 UNION ALL
	 SELECT format('everybody may %s %s', a.privilege_type, c.oid::regclass)
	   FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace IN ('public'::regnamespace, 'app'::regnamespace) AND a.grantee = 0`,
	// views work with the rights of who asks
	`SELECT format('view %s shows what its owner sees', c.oid::regclass) FROM pg_class c
	  WHERE c.relkind IN ('v', 'm') AND c.relnamespace IN ('public'::regnamespace, 'app'::regnamespace)
	    AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true'], false)`,
	// the cross-tenant functions are exactly these, and closed to everybody else
	`WITH doors AS (SELECT p.* FROM pg_proc p WHERE p.prosecdef AND p.pronamespace IN ('public'::regnamespace, 'app'::regnamespace)),
	      listed(door) AS (VALUES
	         ('app.enter(uuid,uuid,uuid)'), ('app.enter(uuid,uuid,uuid,text[],boolean)'), ('app.enter(uuid,uuid,uuid,uuid,text[],boolean)'), ('app.enter(uuid,uuid,uuid,uuid,text[],boolean,boolean,boolean)'), ('app.find_login(text,uuid)'), ('app.find_login(text[],uuid)'), ('app.find_logins(text[],uuid,integer)'), ('app.find_registration(text,uuid)'), ('app.take_address(text[])'), ('app.known_to_network(uuid[],bytea)'), ('app.yield_address(text[])'), ('app.has_verified(uuid[])'), ('app.locate_unproved(double precision,integer,integer)'), ('app.remove_unproved(uuid)'), ('app.begin_set_up()'),
	         ('app.find_api_key(bytea)'), ('app.find_invitation(bytea)'), ('app.has_member(text)'), ('app.workspaces_to_purge(integer)'), ('app.purge_workspace(uuid)'), ('app.purge_some(uuid,double precision)'), ('app.expire_sessions(integer)'), ('app.enter_key(uuid,uuid,text[],text)'), ('app.enter_end_user(uuid,uuid,uuid,uuid,text[],text)'), ('app.locate_anonymous_end_users(timestamp with time zone,timestamp with time zone,timestamp with time zone,uuid,integer)'),
	         ('app.memberships(timestamp with time zone,uuid,integer)'), ('app.members(uuid,timestamp with time zone,uuid,integer)'),
	         ('app.all_workspaces(uuid,integer)'), ('app.all_users(uuid,integer)'), ('app.own_workspaces()'),
	         ('app.find_login(text)'), ('app.find_session(uuid)'), ('app.locate_invitation(bytea)'), ('app.locate_endpoint(uuid)'), ('app.locate_lost_jobs(integer)'), ('app.enter_account(uuid,uuid)'), ('app.enter_account(uuid,uuid,boolean)'), ('app.expire_account_tickets(integer)'), ('app.users_to_reseal(bytea,uuid,integer)'),
	         ('app.begin_login(bytea)'), ('app.end_login(bytea)'), ('app.end_other_sessions(uuid)'),
	         ('app.cut_audit(bigint,bigint,bigint,bytea,timestamp with time zone,bytea,bytea)'), ('app.audit_to_seal(integer)'), ('app.audit_sealed(timestamp with time zone)'), ('app.audit_heads(text,uuid,integer)'), ('app.audit_adoption()'), ('app.begin_audit_adoption(timestamp with time zone,bytea)'),
	         ('app.forget_login_attempts()'), ('app.installation_key(bytea)'), ('app.known_key()'), ('app.retired_keys()'), ('app.retire_key(bytea,text,bytea)'), ('app.sealed_keys()'), ('app.workspaces_to_reseal(bytea,bytea,uuid,integer)'), ('app.login_standing(uuid,bytea,bytea[],bytea)'), ('app.recent_networks(timestamp with time zone,integer)'), ('app.count_mail(bytea[],bigint[])'), ('app.announce_invitation(text,bytea)'), ('app.forget_mail_counts()'), ('app.fail_login(bytea,bytea,timestamp with time zone)'), ('app.pass_login(bytea,bytea,bytea,timestamp with time zone)'), ('app.is_first_key(bytea)'), ('app.adopt_key(bytea)'),
	         ('app.expire_operations(integer)'), ('app.locate_old_exports(integer)'), ('app.abandoned_turns(integer)'), ('app.give_back_turns(uuid[])'), ('app.beat_turn_process(uuid,double precision)'),
	         ('app.claim_jobs(integer,double precision,text[],integer[],uuid)'),
	         ('app.take_jobs(double precision,text[],integer[],integer[],integer,integer[],integer[],integer[],integer[],integer[],uuid[],integer[],integer[],text[],uuid,text,text,integer)'),
	         ('app.extend_jobs(uuid[],uuid[],integer[],double precision)'), ('app.lost_jobs(integer)'), ('app.expire_jobs(integer)'),
	         ('app.begin_periodic(text,uuid,double precision)'), ('app.end_periodic(text,uuid,double precision)'),
	         ('app.expire_sealed_answers()'), ('app.find_webhook_endpoint(uuid)'), ('app.queue_depth()'), ('app.expire_webhooks(integer)'),
	         ('app.expire_turn_events(integer)'), ('app.expire_account_events(integer)'), ('app.expire_account_links(integer)'), ('app.find_account_link(text,bytea)'), ('app.find_identity(text,text)'), ('app.claim_sign_in(bytea,timestamp with time zone)'), ('app.finish_sign_in(bytea,bytea,bytea,text,jsonb,timestamp with time zone)'), ('app.find_sign_in(bytea)'), ('app.use_sign_in(bytea)'), ('app.expire_sign_ins(integer)'), ('app.queue_account_email(uuid,text,uuid,text,text,text)'), ('app.queue_account_email(uuid,text,uuid,text,text,text,jsonb)'), ('app.take_account_emails(integer,double precision)'), ('app.locate_own_invitations(text)'), ('app.claim_account_emails(integer,double precision)'), ('app.end_account_email(uuid,integer,double precision)'), ('app.roll_up_analytics(integer,integer[])'), ('app.take_analytics(integer)'), ('app.drop_analytics(uuid)'), ('app.analytics_depth(integer)'), ('app.locate_unfinished_documents(double precision,integer)'), ('app.locate_unfinished_erasures(double precision,integer)'),
	         ('app.erase_turns(uuid[])'), ('app.erase_message(uuid)'), ('app.erase_thread(uuid,integer)'), ('app.locate_deleted_threads(double precision,integer)'), ('app.erase_bot(uuid)'), ('app.erase_end_user(uuid)'), ('app.locate_bots_with_threads(double precision,integer)'), ('app.locate_due_retention(integer)'), ('app.remove_old(text,timestamp with time zone,uuid,integer)'), ('app.remove_old_usage(text,date,integer)'),
	         ('app.locate_old_vectors(double precision,integer)'), ('app.search_words(text,text,integer)'), ('app.search_chunks(uuid[],text[],real[],integer[],jsonb,integer,integer)'))
	 SELECT format('%s is no listed cross-tenant function', oid::regprocedure) FROM doors WHERE oid::regprocedure::text NOT IN (SELECT door FROM listed)
	 UNION ALL
	 SELECT format('%s is not there', door) FROM listed WHERE door NOT IN (SELECT oid::regprocedure::text FROM doors)
	 UNION ALL
	 SELECT format('%s is not owned by parley_door', oid::regprocedure) FROM doors WHERE proowner <> 'parley_door'::regrole
	 UNION ALL
	 SELECT format('%s has no fixed search_path', oid::regprocedure) FROM doors
	  WHERE NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
	 UNION ALL
	 SELECT format('%s may be executed by everybody', oid::regprocedure) FROM doors
	  WHERE proacl IS NULL OR EXISTS (SELECT 1 FROM aclexplode(proacl) a WHERE a.grantee = 0)`,
}

const walled = `SELECT c.oid::regclass AS tab FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f')
    AND c.relname NOT IN ('schema_migrations', 'applied_migrations', 'workspaces', 'users', 'account_devices', 'account_events', 'account_sessions', 'account_links', 'account_identities', 'sign_ins', 'account_totp', 'account_recovery_codes', 'account_tickets', 'account_emails', 'login_attempts', 'account_failures', 'login_networks', 'mail_counts', 'audit_seal_progress', 'installation', 'retired_keys', 'upkeep', 'periodic_tasks', 'turn_processes', 'workspace_purges')`

// tenancyProblems returns the gaps in the tenant policies, a line each.
func tenancyProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	for _, check := range tenancyChecks {
		rows, err := conn.Query(ctx, check)
		if err != nil {
			return nil, err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		problems = append(problems, lines...)
	}
	lines, err := botProblems(ctx, conn)
	return append(problems, lines...), err
}

func TestTheTenantWallHasNoHole(t *testing.T) {
	t.Parallel()
	problems, err := tenancyProblems(t.Context(), pg.Superuser(t, pg.URL(t)))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// The check is worth something only if it finds what it is for.
func TestAHoleInTheTenantWallIsFound(t *testing.T) {
	t.Parallel()
	const sound = `CREATE TABLE notes (workspace_id uuid NOT NULL REFERENCES workspaces (id), id uuid NOT NULL, PRIMARY KEY (workspace_id, id));
		SELECT app.wall('notes');`
	tests := map[string]struct{ harm, found string }{
		"a table without anything":                                 {`CREATE TABLE notes (id uuid PRIMARY KEY)`, "notes has no workspace_id uuid NOT NULL"},
		"a table without a policy":                                 {`CREATE TABLE notes (workspace_id uuid PRIMARY KEY)`, "notes has no policy with exactly the tenant expression"},
		"a table without row security":                             {`CREATE TABLE notes (workspace_id uuid PRIMARY KEY)`, "notes does not enforce row security on everybody"},
		"row security not forced":                                  {sound + `ALTER TABLE notes NO FORCE ROW LEVEL SECURITY`, "notes does not enforce row security on everybody"},
		"row security off on users":                                {`ALTER TABLE users DISABLE ROW LEVEL SECURITY`, "users does not enforce row security on everybody"},
		"workspace_id may be null":                                 {sound + `ALTER TABLE bots DROP CONSTRAINT bots_pkey CASCADE; ALTER TABLE bots ALTER workspace_id DROP NOT NULL`, "bots has no workspace_id uuid NOT NULL"},
		"a key without the workspace":                              {`CREATE TABLE notes (workspace_id uuid NOT NULL, id uuid PRIMARY KEY); SELECT app.wall('notes')`, "notes has no primary or unique key that starts with workspace_id"},
		"a policy that checks no writes":                           {sound + `ALTER POLICY tenant ON notes WITH CHECK (true)`, "notes has no policy with exactly the tenant expression"},
		"a policy beside the tenant policy":                        {`CREATE POLICY more ON bots TO parley_app USING (true)`, "more on bots is one policy too many for parley_app"},
		"a policy for everybody":                                   {`CREATE POLICY more ON bots USING (true)`, "more on bots lets other roles than parley_app and parley_door through"},
		"a table of which nobody said what it has":                 {sound, "notes is not classified: say in keyBots (key_bots_test.go) what it has of bots"},
		"a table that shows a key other bots":                      {`DROP POLICY key_bots ON turn_events`, "turn_events does not keep a key that is limited to some bots to their rows: its policy key_bots says "},
		"a key that sees what it does not make":                    {`DROP POLICY key_bots ON threads; SELECT app.close_to_limited_keys('threads', 'app.refuse_bot(bot_id)')`, "threads does not keep a key that is limited to some bots to their rows: its policy key_bots says CASE WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true ELSE app.refuse_bot(bot_id) END"},
		"a key that makes rows of other bots":                      {`ALTER POLICY key_bots ON threads WITH CHECK (true)`, "threads does not keep a key that is limited to some bots from making rows of others: its policy key_bots checks true"},
		"a bot in a table that had none":                           {`ALTER TABLE model_keys ADD bot_id uuid`, "model_keys has a bot_id, and is classified as if it had nothing of bots"},
		"a table that outlives its workspace":                      {sound + `REVOKE DELETE ON notes FROM parley_door`, "notes would outlive its workspace (app.let_purge)"},
		"a cross-tenant role that writes":                          {`CREATE POLICY more ON bots FOR UPDATE TO parley_door USING (true)`, "more on bots lets parley_door do more than SELECT"},
		"an erasure in other workspaces":                           {`ALTER POLICY erase ON messages USING (true)`, "erase on messages lets parley_door do more than SELECT"},
		"a message that can be edited":                             {`GRANT UPDATE (content) ON messages TO parley_app`, "parley_app may change the content of a message"},
		"a key into another workspace":                             {sound + `ALTER TABLE notes ADD session uuid REFERENCES sessions (id)`, "notes points at sessions without its workspace_id (notes_session_fkey)"},
		"an audit log that can be erased":                          {`GRANT DELETE ON audit_log TO parley_app`, "parley_app may DELETE audit_log"},
		"an audit log that can be edited":                          {`GRANT UPDATE (action) ON audit_log TO parley_app`, "parley_app may UPDATE audit_log"},
		"a move of a bot that can be undone":                       {`GRANT DELETE ON bot_pointer_moves TO parley_app`, "parley_app may DELETE bot_pointer_moves"},
		"an event that can be forged":                              {`GRANT UPDATE (payload) ON webhook_events TO parley_app`, "parley_app may change the payload of an event"},
		"truncate, which row security does not see":                {`GRANT TRUNCATE ON bots TO parley_app`, "parley_app may TRUNCATE bots"},
		"a table that parley_app owns":                             {sound + `ALTER TABLE notes OWNER TO parley_app`, "parley_app owns notes"},
		"a table open to everybody":                                {`GRANT SELECT ON bots TO PUBLIC`, "everybody may SELECT bots"},
		"a view with its owner's eyes":                             {`CREATE VIEW app.all_bots AS SELECT * FROM bots`, "view app.all_bots shows what its owner sees"},
		"a new cross-tenant function":                              {`CREATE FUNCTION app.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.bots'`, "app.peek() is no listed cross-tenant function"},
		"a cross-tenant function for everybody":                    {`GRANT EXECUTE ON FUNCTION app.find_login(text) TO PUBLIC`, "app.find_login(text) may be executed by everybody"},
		"a cross-tenant function with a search path of the caller": {`ALTER FUNCTION app.find_login(text) RESET search_path`, "app.find_login(text) has no fixed search_path"},
		"a cross-tenant function of the superuser":                 {`ALTER FUNCTION app.enter(uuid, uuid, uuid) OWNER TO CURRENT_USER`, "app.enter(uuid,uuid,uuid) is not owned by parley_door"},
	}
	url := pg.URL(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { // one after the other, in transactions of one database
			conn := pg.Superuser(t, url)
			tx, err := conn.Begin(t.Context())
			require.NoError(t, err)
			defer tx.Rollback(context.Background())
			_, err = tx.Exec(t.Context(), test.harm)
			require.NoError(t, err)
			problems, err := tenancyProblems(t.Context(), conn)
			require.NoError(t, err)
			require.Contains(t, problems, test.found)
		})
	}
}

func TestTheAuditLogCannotBeChangedByAnybody(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	_, err := conn.Exec(t.Context(), `INSERT INTO audit_log (workspace_id, id, trace_id, action, resource_type, changes, user_agent)
		VALUES (gen_random_uuid(), gen_random_uuid(), 't', 'bot.create', 'bot', '{}', '')`)
	require.NoError(t, err)
	for _, harm := range []string{"UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"} {
		_, err := conn.Exec(t.Context(), harm)
		require.ErrorContains(t, err, "audit_log is append-only", harm)
	}
}

func TestABotNeverPointsAtAVersionThatIsNotThere(t *testing.T) {
	t.Parallel()
	pool := pg.DB(t)
	workspace := uuid.New()
	require.Error(t, insertBots(t, pool, workspace, 2), "version 1 is stored, the bot points at 2")
	require.Zero(t, countBots(t, pool, workspace))
}

func insertBots(t *testing.T, pool *postgres.DB, workspace uuid.UUID, current int32) error {
	t.Helper()
	ctx, bot := callctx.As(t.Context(), workspace, uuid.New()), uuid.New()
	return pool.Write(ctx, func(ctx context.Context) error {
		q := botsdb.New(pool.In(ctx))
		_, err := pool.In(ctx).Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", workspace)
		return errors.Join(err, q.CreateBot(ctx, botsdb.CreateBotParams{
			WorkspaceID: workspace, ID: bot, Name: "Ada", Status: "draft", CurrentVersion: current, PublishedVersion: 1,
			CreatedBy: uuid.New(), CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}), q.CreateVersion(ctx, botsdb.CreateVersionParams{
			WorkspaceID: workspace, BotID: bot, Version: 1, Settings: []byte("{}"), CreatedBy: uuid.New(), CreatedAt: time.Now(),
		}))
	})
}

func countBots(t *testing.T, pool *postgres.DB, workspace uuid.UUID) (n int) {
	t.Helper()
	ctx := callctx.As(t.Context(), workspace, uuid.New())
	require.NoError(t, pool.In(ctx).QueryRow(ctx, "SELECT count(*) FROM bots").Scan(&n))
	return n
}
