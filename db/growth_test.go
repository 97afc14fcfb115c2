package db_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The rules that keep the way open to several database servers, each with all of some workspaces, and a small directory of users,
// memberships and lookups (api/guides/growing.md).

// lookups are the only unique keys of a workspace's tables without workspace_id: what somebody brings who names no workspace. The
// directory will have them.
var lookups = []string{"api_keys_hash_key", "invitations_token_key", "sessions_id_key", "webhook_endpoints_id_key"}

// directory are the tables whose rows belong to persons; memberships and workspaces lead from a person to its workspaces.
var directory = []string{"users", "account_events", "account_sessions", "account_devices", "account_links", "account_identities", "sign_ins", "account_totp", "account_recovery_codes", "account_tickets", "account_emails", "login_networks", "workspace_members", "workspaces"}

// forEarlierReleases are functions that only processes of releases before call. No rule holds them: they go.
var forEarlierReleases = []string{
	"app.queue_account_email(uuid,text,uuid,text,text,text)", "app.claim_account_emails(integer,double precision)",
	"app.begin_login(bytea)", "app.end_login(bytea)", "app.claim_jobs(integer,double precision,text[],integer[],uuid)",
	"app.end_other_sessions(uuid)", "app.enter(uuid,uuid,uuid)", "app.enter(uuid,uuid,uuid,text[],boolean)", "app.enter(uuid,uuid,uuid,uuid,text[],boolean)", "app.enter_account(uuid,uuid)",
	"app.find_invitation(bytea)", "app.find_login(text)", "app.find_login(text,uuid)", "app.find_webhook_endpoint(uuid)",
	"app.lost_jobs(integer)", "app.purge_workspace(uuid)",
}

// moreThanIDs are the cross-tenant functions that give more than ids, what besides, and why.
var moreThanIDs = map[string]struct{ gives, why string }{
	"app.enter(uuid,uuid,uuid,uuid,text[],boolean,boolean,boolean)": {"text", "the caller's own role; it asks the workspace that the token names"},
	"app.enter_key(uuid,uuid,text[],text)":                          {"text", "the key's own role; it asks the workspace of the key"},
	"app.enter_end_user(uuid,uuid,uuid,uuid,text[],text)":           {"text", "always end_user; it asks the workspace that the token names"},
	"app.locate_anonymous_end_users(timestamp with time zone,timestamp with time zone,timestamp with time zone,uuid,integer)": {
		"last_token_at timestamp with time zone", "where the next page begins"},

	// directory: persons, their memberships and their log-ins
	"app.find_login(text[],uuid)":          {"password_hash text", "a user is looked up by its address, and its password checked, before there is a workspace"},
	"app.find_logins(text[],uuid,integer)": {"password_hash text, verified boolean", "as find_login"},
	"app.find_registration(text,uuid)":     {"password_hash text, verified boolean", "as find_login"},
	"app.yield_address(text[])":            {"boolean", "of one address, which the directory has"},
	"app.take_address(text[])":             {"boolean", "of one address, which the directory has"},
	"app.has_verified(uuid[])":             {"boolean", "of persons"},
	"app.remove_unproved(uuid)":            {"boolean", "of one person"},
	"app.begin_set_up()":                   {"boolean", "of the directory, when it is empty"},
	"app.memberships(timestamp with time zone,uuid,integer)": {
		"name text, role text, created_at timestamp with time zone, joined_at timestamp with time zone, deleted_at timestamp with time zone",
		"to choose a workspace one has to read their names: the directory keeps them beside their servers"},
	"app.members(uuid,timestamp with time zone,uuid,integer)": {"email text, role text, joined_at timestamp with time zone",
		"the people of one workspace, with the addresses that the directory has"},
	"app.has_member(text)":                                       {"boolean", "of one workspace, by an address that the directory has"},
	"app.login_standing(uuid,bytea,bytea[],bytea)":               {"known boolean, waits double precision[], account_wait double precision, at timestamp with time zone", "counts of accounts"},
	"app.fail_login(bytea,bytea,timestamp with time zone)":       {"double precision", "counts of accounts"},
	"app.pass_login(bytea,bytea,bytea,timestamp with time zone)": {"double precision", "counts of accounts"},
	"app.recent_networks(timestamp with time zone,integer)":      {"network bytea, used_at timestamp with time zone", "keyed hashes of networks, of nobody"},
	"app.count_mail(bytea[],bigint[])":                           {"integer", "counts by keyed hashes"},
	"app.announce_invitation(text,bytea)":                        {"boolean", "counts of a mailbox"},
	"app.expire_account_events(integer)":                         {"integer", "a number of rows: upkeep of the directory"},
	"app.expire_account_links(integer)":                          {"integer", "a number of rows: upkeep of the directory"},
	"app.claim_sign_in(bytea,timestamp with time zone)":          {"boolean", "a state that nobody owns, of the directory"},
	"app.find_sign_in(bytea)":                                    {"browser_hash bytea, challenge text, claims jsonb, code_ends_at timestamp with time zone", "what an identity provider has said, before there is a user"},
	"app.use_sign_in(bytea)":                                     {"boolean", "a code that nobody owns, of the directory"},
	"app.expire_sign_ins(integer)":                               {"integer", "a number of rows: upkeep of the directory"},
	"app.expire_account_tickets(integer)":                        {"integer", "a number of rows: upkeep of the directory"},
	"app.find_account_link(text,bytea)":                          {"address text, expires_at timestamp with time zone", "a user is looked up by the token of an email, before there is a workspace"},
	"app.take_account_emails(integer,double precision)": {"kind text, address text, language text, trace_id text, attempt integer, created_at timestamp with time zone, facts jsonb",
		"emails to persons, with the addresses that the directory has"},
	"app.is_first_key(bytea)":     {"boolean", "of the installation"},
	"app.known_key()":             {"bytea", "of the installation"},
	"app.installation_key(bytea)": {"key_print bytea, ids_from timestamp with time zone", "of the installation"},
	"app.retired_keys()":          {"key_id bytea, purpose text, sealed bytea, retired_at timestamp with time zone", "of the installation"},
	"app.audit_adoption()":        {"adopt_until timestamp with time zone, adopt_mac bytea, heads boolean", "of the installation"},

	// which row, and when or at which attempt, so that whoever works on it as its tenant can compare and set
	"app.abandoned_turns(integer)":                              {"attempt integer", "the fence of a turn that is taken up"},
	"app.extend_jobs(uuid[],uuid[],integer[],double precision)": {"attempt integer", "the fence of a job that is held"},
	"app.audit_to_seal(integer)":                                {"since timestamp with time zone, sealed_at timestamp with time zone", "from when on the rows of a workspace are read to be sealed"},
	"app.beat_turn_process(uuid,double precision)":              {"known boolean, turns integer", "a process and its own lease"},

	// a search of one workspace, which row-level security would keep from its indexes
	"app.search_words(text,text,integer)":                                     {"word text, instead_of text, chunks integer, weight real", "stems of the transaction's own workspace"},
	"app.search_chunks(uuid[],text[],real[],integer[],jsonb,integer,integer)": {"score real", "how well a chunk of the transaction's own workspace fits"},

	// numbers: each server is kept up and measured by itself
	"app.begin_periodic(text,uuid,double precision)": {"double precision", "seconds until a task is due"},
	"app.analytics_depth(integer)":                   {"integer", "a number for metrics"},
	"app.sealed_keys()":                              {"kind text, key bytea, count bigint", "how many sealed texts there are under each key"},
	"app.queue_depth()":                              {"queued bigint, running bigint, dead bigint, oldest_seconds double precision", "numbers for metrics"},
	"app.cut_audit(bigint,bigint,bigint,bytea,timestamp with time zone,bytea,bytea)": {"integer", "how many rows of the transaction's own workspace it has removed"},
	"app.expire_jobs(integer)":                 {"integer", "a number of rows: upkeep by age, which each server does for all its workspaces"},
	"app.expire_operations(integer)":           {"integer", "as expire_jobs"},
	"app.expire_sealed_answers()":              {"integer", "as expire_jobs"},
	"app.expire_sessions(integer)":             {"integer", "as expire_jobs"},
	"app.expire_turn_events(integer)":          {"integer", "as expire_jobs"},
	"app.expire_webhooks(integer)":             {"integer", "as expire_jobs"},
	"app.give_back_turns(uuid[])":              {"integer", "a number of turns, whose leases it ends"},
	"app.purge_some(uuid,double precision)":    {"state text, removed bigint", "how far the purge of one workspace is"},
	"app.roll_up_analytics(integer,integer[])": {"integer", "a number of rows, which it adds to the counts of their own workspaces"},

	// in one workspace, which the policies of parley_door say
	"app.erase_thread(uuid,integer)":                             {"boolean", "whether there is more to erase of a thread of the transaction's own workspace"},
	"app.remove_old(text,timestamp with time zone,uuid,integer)": {"removed integer", "a number of rows of the transaction's own workspace"},
	"app.remove_old_usage(text,date,integer)":                    {"removed integer, more boolean", "a number of rows of the transaction's own workspace"},

	// hot: another round trip for each job would cost more than all else of it
	"app.take_jobs(double precision,text[],integer[],integer[],integer,integer[],integer[],integer[],integer[],integer[],uuid[],integer[],integer[],text[],uuid,text,text,integer)": {
		"", "a job is given to its worker, which works as its tenant; each server has a queue of its own"},
	"app.take_analytics(integer)": {"", "a batch for the server of analytics, of all workspaces and without text"},
}

// readingPolicies are the policies that read tables, and why.
var readingPolicies = map[string]string{
	"cut audit_log":                  "a seal and a cut of the same workspace, for the removal of old rows of the log alone",
	"cut audit_seals":                "as that of audit_log",
	"key_bots chunks":                "the bots of the key name the base; as message_feedback",
	"key_bots document_texts":        "as chunks",
	"key_bots documents":             "as chunks",
	"key_bots knowledge_bases":       "as chunks",
	"key_bots tool_credentials":      "as tools",
	"key_bots tool_reviews":          "as tools",
	"key_bots tool_versions":         "as tools",
	"key_bots tools":                 "the bots of the key name the tool; as message_feedback",
	"key_bots message_feedback":      "the bot is that of the thread; only for keys that are limited to some bots, in their own workspace",
	"key_bots messages":              "as message_feedback",
	"key_bots retrievals":            "as turn_events",
	"key_bots retrieved_documents":   "as turn_events",
	"key_bots tool_calls":            "as turn_events",
	"key_bots message_attachments":   "as turn_events",
	"key_bots turn_events":           "the bot is that of the turn; as message_feedback",
	"key_bots webhook_events":        "the bot is that of the endpoint; as message_feedback",
	"key_bots webhook_subscriptions": "as webhook_events",
	"owner llm_turns":                "the owner is that of the thread; only for whoever sees only what it owns, in its own workspace",
	"owner message_feedback":         "as llm_turns",
	"owner messages":                 "as llm_turns",
	"owner retrievals":               "as llm_turns",
	"owner retrieved_documents":      "as llm_turns",
	"owner tool_calls":               "as llm_turns",
	"owner message_attachments":      "as llm_turns",
	"owner turn_events":              "as llm_turns",
	"purge users":                    "a user goes only when it is a member nowhere: both are of the directory",
}

// besideUsers are the functions that read users and tables of a workspace in statements apart, and why.
var besideUsers = map[string]string{
	"app.lock_authority(uuid,uuid,text[])": "whether a member is disabled is asked of users by itself; with several servers its memberships would have to say so",
}

// growthProblems gives what would be in the way of several servers, a line each.
func growthProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	for _, check := range []struct {
		sql  string
		args []any
	}{
		// 1
		{`SELECT format('%s of %s is unique over all workspaces', i.indexrelid::regclass, i.indrelid::regclass)
		    FROM pg_index i JOIN (` + walled + `) w ON w.tab = i.indrelid
		   WHERE i.indisunique AND i.indexrelid::regclass::text <> ALL ($1)
		     AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attname = 'workspace_id')
		  UNION ALL
		  SELECT format('%s is listed as a lookup, and is not there', name) FROM unnest($1::text[]) name WHERE to_regclass('public.' || name) IS NULL`,
			[]any{lookups}},
		// 4
		{`SELECT format('%s points at users (%s)', c.conrelid::regclass, c.conname) FROM pg_constraint c
		   WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass AND c.conrelid::regclass::text <> ALL ($1)`, []any{directory}},
		// 5
		{`SELECT format('%s sets app.* by itself, and not through app.set_tenant', p.oid::regprocedure) FROM pg_proc p
		   WHERE p.pronamespace IN ('app'::regnamespace, 'public'::regnamespace) AND p.prosrc ~ 'set_config\s*\(\s*''app\.'
		     AND p.proname <> 'set_tenant' AND p.oid::regprocedure::text <> ALL ($1)`, []any{forEarlierReleases}},
	} {
		lines, err := collect[string](ctx, conn, check.sql, check.args...)
		if err != nil {
			return nil, err
		}
		problems = append(problems, lines...)
	}
	for _, more := range []func(context.Context, *pgx.Conn) ([]string, error){givenProblems, joinProblems, policyProblems} {
		lines, err := more(ctx, conn)
		if err != nil {
			return nil, err
		}
		problems = append(problems, lines...)
	}
	return problems, nil
}

func collect[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// givenProblems gives the cross-tenant functions that give more than ids, unless moreThanIDs says so (rule 3).
func givenProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	rows, err := conn.Query(ctx, `SELECT p.oid::regprocedure::text, coalesce(
		       (SELECT string_agg(format('%s %s', n, format_type(t, NULL)), ', ' ORDER BY at) FILTER (WHERE t <> 'uuid'::regtype)
		          FROM unnest(p.proallargtypes, p.proargmodes, p.proargnames) WITH ORDINALITY x(t, mode, n, at) WHERE mode IN ('o', 't')),
		       CASE WHEN p.prorettype IN ('void'::regtype, 'uuid'::regtype, 'record'::regtype) THEN '' ELSE format_type(p.prorettype, NULL) END)
		  FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'app'::regnamespace`)
	if err != nil {
		return nil, err
	}
	unused := maps.Clone(moreThanIDs)
	var function, gives string
	_, err = pgx.ForEachRow(rows, []any{&function, &gives}, func() error {
		allowed, listed := moreThanIDs[function]
		delete(unused, function)
		switch {
		case slices.Contains(forEarlierReleases, function), gives == "" && !listed:
		case !listed:
			problems = append(problems, fmt.Sprintf("%s gives more than ids (%s): let it locate, and read as the tenant, or say why in moreThanIDs", function, gives))
		case gives == "":
			problems = append(problems, function+" is listed as giving more than ids, and does not")
		case allowed.gives != "" && allowed.gives != gives:
			problems = append(problems, fmt.Sprintf("%s gives %s, and is listed with %s", function, gives, allowed.gives))
		}
		return nil
	})
	for function := range unused {
		problems = append(problems, function+" is listed as giving more than ids, and is not there")
	}
	return problems, err
}

var (
	namedQuery = regexp.MustCompile(`(?m)^-- name: (\w+)`)
	comment    = regexp.MustCompile(`(?m)--.*$`)
	usedTable  = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE|USING)[\s(]+(?:ONLY\s+)?(?:public\.)?([a-z_]+)\b`)
)

// joinProblems gives the queries, functions and views that use users together with tables of workspaces, but for memberships (rule
// 4), and the queries that set app.* by themselves (rule 5).
func joinProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	tables, err := collect[string](ctx, conn, "SELECT tab::text FROM ("+walled+") w")
	if err != nil {
		return nil, err
	}
	check := func(name, sql string) {
		if besideUsers[name] != "" {
			return
		}
		sql = comment.ReplaceAllString(sql, "")
		used := map[string]bool{}
		for _, m := range usedTable.FindAllStringSubmatch(sql, -1) {
			used[strings.ToLower(m[1])] = true
		}
		for table := range used {
			if used["users"] && slices.Contains(tables, table) && !slices.Contains(directory, table) {
				problems = append(problems, fmt.Sprintf("%s joins users with %s", name, table))
			}
		}
	}
	files, err := filepath.Glob("queries/*/*.sql")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fs.ErrNotExist
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		names := namedQuery.FindAllSubmatchIndex(raw, -1)
		for i, at := range names {
			end := len(raw)
			if i+1 < len(names) {
				end = names[i+1][0]
			}
			name, sql := string(raw[at[2]:at[3]]), string(raw[at[0]:end])
			check(name, sql)
			if strings.Contains(sql, "set_config('app.") {
				problems = append(problems, name+" sets app.* by itself, and not through app.set_tenant")
			}
		}
	}
	rows, err := conn.Query(ctx, `SELECT p.oid::regprocedure::text, p.prosrc FROM pg_proc p WHERE p.pronamespace IN ('app'::regnamespace, 'public'::regnamespace)
		   AND p.oid::regprocedure::text <> ALL ($1)
		 UNION ALL SELECT 'view ' || c.oid::regclass, pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind IN ('v', 'm') AND c.relnamespace IN ('app'::regnamespace, 'public'::regnamespace)`,
		forEarlierReleases)
	if err != nil {
		return nil, err
	}
	var name, sql string
	_, err = pgx.ForEachRow(rows, []any{&name, &sql}, func() error { check(name, sql); return nil })
	return problems, err
}

// settingsOnly are the functions of policies that read no table.
var settingsOnly = []string{"coalesce", "nullif", "current_setting", "now", "any", "refuse_bot", "refuse_key", "session_end", "date_trunc", "and", "or", "not", "when", "then", "else", "using"}

var calledFunction = regexp.MustCompile(`(?i)\b([a-z_]+)\s*\(`)

// policyProblems gives the policies that read a table, by themselves or through a function, unless readingPolicies says why (rule 5).
// Those of purges look at the one row of the workspace whose rows go, beside which they are stored, and keep the purge from any other
// workspace, whatever its function does.
func policyProblems(ctx context.Context, conn *pgx.Conn) (problems []string, err error) {
	rows, err := conn.Query(ctx, `SELECT polname || ' ' || polrelid::regclass::text, coalesce(pg_get_expr(polqual, polrelid), '') || ' ' || coalesce(pg_get_expr(polwithcheck, polrelid), ''),
		       polname IN ('purge', 'purge_look') AND polroles = ARRAY['parley_door'::regrole]::oid[]
		       AND pg_get_expr(polqual, polrelid) ~ ('^\(EXISTS \( SELECT\s+FROM workspaces w\s+WHERE \(\(w\.id = ' || polrelid::regclass || '\.(workspace_id|id)\) AND \(w\.deleted_at < \(now\(\) - ''30 days''::interval\)\)\)\)\)$')
		  FROM pg_policy`)
	if err != nil {
		return nil, err
	}
	unused := maps.Clone(readingPolicies)
	var policy, expression string
	var purge bool
	_, err = pgx.ForEachRow(rows, []any{&policy, &expression, &purge}, func() error {
		reads := ""
		if regexp.MustCompile(`(?i)\bSELECT\b`).MatchString(expression) {
			reads = "a subquery"
		}
		for _, m := range calledFunction.FindAllStringSubmatch(expression, -1) {
			if !slices.Contains(settingsOnly, strings.ToLower(m[1])) && reads == "" {
				reads = m[1]
			}
		}
		_, listed := readingPolicies[policy]
		delete(unused, policy)
		switch {
		case reads == "" && listed:
			problems = append(problems, "policy "+policy+" is listed as reading a table, and does not")
		case reads != "" && !listed && !purge:
			problems = append(problems, "policy "+policy+" reads more than settings: "+reads)
		}
		return nil
	})
	for policy := range unused {
		problems = append(problems, "policy "+policy+" is listed as reading a table, and is not there")
	}
	return problems, err
}

func TestNothingIsInTheWayOfSeveralServers(t *testing.T) {
	t.Parallel()
	problems, err := growthProblems(t.Context(), pg.Superuser(t, pg.URL(t)))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// The check is worth something only if it finds what it is for.
func TestWhatIsInTheWayOfSeveralServersIsFound(t *testing.T) {
	t.Parallel()
	const function = `CREATE FUNCTION app.peek() RETURNS %s LANGUAGE sql %s AS $$ %s $$`
	tests := map[string]struct{ harm, found string }{
		"a key over all workspaces":            {`CREATE UNIQUE INDEX names ON bots (name)`, "names of bots is unique over all workspaces"},
		"a lookup that is gone":                {`ALTER TABLE api_keys DROP CONSTRAINT api_keys_hash_key`, "api_keys_hash_key is listed as a lookup, and is not there"},
		"a function that gives a name":         {fmt.Sprintf(function, "text", "SECURITY DEFINER", "SELECT name FROM public.bots"), "app.peek() gives more than ids (text): let it locate, and read as the tenant, or say why in moreThanIDs"},
		"a function that gives a table":        {fmt.Sprintf(function, "TABLE (id uuid, name text, secret jsonb)", "SECURITY DEFINER", "SELECT id, name, NULL::jsonb FROM public.bots"), "app.peek() gives more than ids (name text, secret jsonb): let it locate, and read as the tenant, or say why in moreThanIDs"},
		"a function that gives more":           {`DROP FUNCTION app.has_member(text); CREATE FUNCTION app.has_member(address text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT address'`, "app.has_member(text) gives text, and is listed with boolean"},
		"a function that is gone":              {`DROP FUNCTION app.has_member(text)`, "app.has_member(text) is listed as giving more than ids, and is not there"},
		"a foreign key to users":               {`ALTER TABLE bots ADD FOREIGN KEY (created_by) REFERENCES users (id)`, "bots points at users (bots_created_by_fkey)"},
		"a join with users":                    {fmt.Sprintf(function, "bigint", "", "SELECT count(*) FROM public.bots b JOIN users u ON u.id = b.created_by"), "app.peek() joins users with bots"},
		"a view of users and more":             {`CREATE VIEW app.makers WITH (security_invoker) AS SELECT u.email FROM threads t JOIN users u ON u.id = t.created_by`, "view app.makers joins users with threads"},
		"a policy with a subquery":             {`CREATE POLICY more ON bots AS RESTRICTIVE TO parley_app USING (EXISTS (SELECT FROM api_keys))`, "policy more bots reads more than settings: a subquery"},
		"a policy with a function":             {`CREATE POLICY more ON bots AS RESTRICTIVE TO parley_app USING (app.sees_thread(id))`, "policy more bots reads more than settings: sees_thread"},
		"a purge that looks elsewhere":         {`DROP POLICY purge ON bots; CREATE POLICY purge ON bots FOR DELETE TO parley_door USING (EXISTS (SELECT FROM workspaces w WHERE w.deleted_at < now()))`, "policy purge bots reads more than settings: a subquery"},
		"a policy that reads nothing any more": {`ALTER POLICY key_bots ON messages USING (true)`, "policy key_bots messages is listed as reading a table, and does not"},
		"a function that sets the tenant":      {fmt.Sprintf(function, "text", "", "SELECT set_config('app.workspace_id', '', true)"), "app.peek() sets app.* by itself, and not through app.set_tenant"},
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
			problems, err := growthProblems(t.Context(), conn)
			require.NoError(t, err)
			require.Contains(t, problems, test.found)
		})
	}
}

// Tables by hash of the workspace take the keys, foreign keys and triggers of all tables of workspaces but four: those of the
// lookups, whose unique keys do not have the workspace (api/guides/growing.md).
func TestAllTablesButTheFourLookupsCanBePartitioned(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	tables, err := collect[string](t.Context(), conn, "SELECT tab::text FROM ("+walled+") w ORDER BY 1")
	require.NoError(t, err)
	var refused []string
	for _, table := range tables {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		if _, err = tx.Exec(t.Context(), fmt.Sprintf(`CREATE TABLE parts (LIKE %[1]s INCLUDING ALL) PARTITION BY HASH (workspace_id);
			CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0)`, table)); err != nil {
			require.ErrorContains(t, err, "must include all partitioning columns", table)
			refused = append(refused, table)
			require.NoError(t, tx.Rollback(t.Context()))
			continue
		}
		_, err = tx.Exec(t.Context(), fmt.Sprintf(`ALTER TABLE %[1]s RENAME TO before; ALTER TABLE parts RENAME TO %[1]s;
			DO $$ DECLARE c record; BEGIN
				FOR c IN SELECT conrelid = 'before'::regclass AS own, conrelid::regclass AS tab, pg_get_constraintdef(oid) AS def FROM pg_constraint
				          WHERE contype = 'f' AND 'before'::regclass IN (conrelid, confrelid) LOOP
					EXECUTE format('ALTER TABLE %%s ADD %%s', CASE WHEN c.own THEN '%[1]s' ELSE c.tab::text END, replace(c.def, 'REFERENCES before(', 'REFERENCES %[1]s('));
				END LOOP;
				FOR c IN SELECT tgname, pg_get_triggerdef(oid) AS def FROM pg_trigger WHERE tgrelid = 'before'::regclass AND NOT tgisinternal LOOP
					EXECUTE replace(c.def, ' ON public.before ', ' ON %[1]s ');
				END LOOP;
			END $$`, table))
		require.NoError(t, err, table)
		require.NoError(t, tx.Rollback(t.Context()))
	}
	require.Equal(t, []string{"api_keys", "invitations", "sessions", "webhook_endpoints"}, refused)
}

// What is located across workspaces is read with the rights of its own tenant, and no tenant is left set.
func TestWhatIsLocatedIsReadAsItsTenant(t *testing.T) {
	t.Parallel()
	url := pg.URL(t)
	conn := pg.Superuser(t, url)
	_, err := conn.Exec(t.Context(), `SET session_replication_role = replica; -- without foreign keys
		INSERT INTO workspaces (id, name, created_at) VALUES (md5('w')::uuid, 'W', now());
		INSERT INTO webhook_endpoints (workspace_id, id, bot_id, name, status, secrets, created_by, created_at)
		VALUES (md5('w')::uuid, md5('e')::uuid, md5('b')::uuid, 'E', 'active', '[]', md5('u')::uuid, now());
		INSERT INTO invitations (workspace_id, id, email, role, token_hash, invited_by, created_at, expires_at)
		VALUES (md5('w')::uuid, md5('i')::uuid, 'ada@example.com', 'viewer', sha256('t'), md5('u')::uuid, now(), now());
		INSERT INTO users (id, email, password_hash, operation_id, created_at) VALUES (md5('u')::uuid, 'ada@example.com', 'hash', md5('o')::uuid, now());
		REVOKE SELECT (secrets, status) ON webhook_endpoints FROM parley_door; REVOKE SELECT (email, role) ON invitations FROM parley_door`)
	require.NoError(t, err)
	require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		var status, email, hash, left string
		var endpoints, invitations int
		_, err := tx.Exec(t.Context(), "SET LOCAL ROLE parley_app")
		require.NoError(t, err)
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT status FROM app.read_endpoint(md5('e')::uuid)`).Scan(&status))
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT email, password_hash FROM app.read_invitation(sha256('t'))`).Scan(&email, &hash))
		require.NoError(t, tx.QueryRow(t.Context(), `SELECT current_setting('app.workspace_id') || current_setting('app.user_id'),
			(SELECT count(*) FROM app.read_endpoint(md5('x')::uuid)), (SELECT count(*) FROM app.read_invitation(sha256('x')))`).Scan(&left, &endpoints, &invitations))
		require.Equal(t, []any{"active", "ada@example.com", "hash", "", 0, 0}, []any{status, email, hash, left, endpoints, invitations})
		return nil
	}))
	_, err = conn.Exec(t.Context(), `UPDATE workspaces SET deleted_at = now()`)
	require.NoError(t, err)
	found, err := collect[int](t.Context(), conn, `SELECT count(*) FROM app.read_endpoint(md5('e')::uuid) UNION ALL SELECT count(*) FROM app.read_invitation(sha256('t'))`)
	require.NoError(t, err)
	require.Equal(t, []int{0, 0}, found, "a deleted workspace")
}
