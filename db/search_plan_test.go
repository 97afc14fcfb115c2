package db_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Under row-level security @@ and % use no GIN index. The functions of a search do, in a workspace of 20,000 chunks beside another,
// also when a base was filled a moment ago and nothing is known of its size.
func TestASearchGoesByItsIndexes(t *testing.T) {
	t.Parallel()
	for name, analyze := range map[string]string{"analyzed": "ANALYZE", "filled a moment ago": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchGoesByItsIndexes(t, analyze)
		})
	}
}

func searchGoesByItsIndexes(t *testing.T, analyze string) {
	t.Helper()
	conn := pg.Superuser(t, pg.URL(t))
	exec := func(sql string) {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	exec(`SET session_replication_role = replica;
		INSERT INTO documents (workspace_id, id, base_id, title, metadata, content_type, content_hash, size, status, generation, build_size, build_overlap, created_by, created_at, updated_at)
			SELECT md5('workspace ' || w)::uuid, md5('document ' || n)::uuid, md5('base')::uuid, 'd', '{}', '', sha256(''), 1, 'ready', 1, 1, 0, gen_random_uuid(), now(), now()
			  FROM generate_series(1, 2) w, generate_series(1, 200) n;
		INSERT INTO chunks (workspace_id, id, base_id, document_id, generation, ordinal, start_at, end_at, headings, table_header, text, tsv)
			SELECT md5('workspace ' || w)::uuid, md5('chunk ' || n)::uuid, md5('base')::uuid, md5('document ' || n % 200 + 1)::uuid, 1, n / 200, 0, 1, '{}', '', 'x',
			       setweight(to_tsvector('simple', 'word' || n % 1000 || ' common' || CASE WHEN n % 13 = 0 THEN ' odd' ELSE '' END ||
			           CASE WHEN n > 18000 AND (n % 13 > 0 OR n > 19740) THEN ' first' ELSE '' END), 'B')
			  FROM generate_series(1, 2) w, generate_series(1, 20000) n;
		INSERT INTO lexicon SELECT md5('workspace ' || w)::uuid, 'simple', 'word' || chr(97 + n % 26) || n, 20 FROM generate_series(1, 2) w, generate_series(0, 9999) n;
		INSERT INTO lexicon SELECT md5('workspace 1')::uuid, 'simple', '', 20000;
		RESET session_replication_role; ` + analyze + `;
		SELECT set_config('app.workspace_id', md5('workspace 1')::uuid::text, false); SET ROLE parley_app`)
	scans := func(index string) (n, whole int) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT pg_stat_get_xact_numscans($1::regclass),
			(SELECT sum(pg_stat_get_xact_numscans(c)) FROM unnest(ARRAY['chunks', 'lexicon']::regclass[]) c)`, index).Scan(&n, &whole))
		return n, whole
	}
	exec("BEGIN")
	var found int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM app.search_chunks(ARRAY[md5('base')::uuid], ARRAY['word7'], ARRAY[1]::real[], ARRAY[20], '{}', 4000, 50)`).Scan(&found))
	require.Equal(t, 20, found)
	n, whole := scans("chunks_search")
	require.Equal(t, []int{1, 0}, []int{n, whole}, "chunks_search is not used, or a table is read as a whole")
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM app.search_words('simple', 'wrodabcd', 12)`).Scan(&found))
	if n, whole = scans("lexicon_similar"); analyze != "" { // else the key of the words looks as good
		require.Equal(t, []int{1, 0}, []int{n, whole}, "lexicon_similar is not used, or a table is read as a whole")
	}
	exec("ROLLBACK")

	// Words that more chunks have than are looked at. Those that have several come first, then those of a rarer word, and the others
	// fill the rows that are left.
	exec("BEGIN")
	for _, c := range []struct {
		words, counts string
		want          []string // chunks by a word that they have
	}{
		{"'word7', 'common'", "20, 20000", []string{"word7", "common"}},
		{"'odd', 'common'", "1500, 20000", []string{"odd", "odd"}},
		{"'odd', 'first'", "1500, 2000", []string{"both", "odd"}},
		{"'nowhere', 'odd'", "10, 1500", []string{"odd", "odd"}},
	} {
		rows, err := conn.Query(t.Context(), `SELECT CASE WHEN c.tsv @@ 'odd & first' THEN 'both' WHEN c.tsv @@ 'odd' THEN 'odd' WHEN c.tsv @@ 'word7' THEN 'word7' ELSE 'common' END
			FROM app.search_chunks(ARRAY[md5('base')::uuid], ARRAY[`+c.words+`], ARRAY[2, 1]::real[], ARRAY[`+c.counts+`], '{}', 1000, 50) f
			JOIN chunks c ON c.id = f.chunk_id AND c.workspace_id = md5('workspace 1')::uuid ORDER BY f.score DESC`)
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Len(t, found, 50, c.words)
		require.Equal(t, c.want, []string{found[0], found[49]}, c.words)
	}
	exec("ROLLBACK")
}

// What the bots of a limited key know is looked up once in a statement that reads 20,000 chunks, and never for anybody else.
func TestWhatAKeyMayReadIsLookedUpOnceInAStatement(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	exec := func(sql string) {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	exec(`SET session_replication_role = replica;
		INSERT INTO bots (workspace_id, id, name, status, current_version, published_version, created_by, created_at, updated_at)
			SELECT md5('workspace')::uuid, md5('bot ' || n)::uuid, 'b', 'active', 1, 1, gen_random_uuid(), now(), now() FROM generate_series(1, 100) n;
		INSERT INTO bot_versions (workspace_id, bot_id, version, instruction, settings, created_by, created_at)
			SELECT b.workspace_id, b.id, 1, 'x', jsonb_build_object('knowledge', jsonb_build_array(jsonb_build_object('id', md5('base 1')::uuid))), b.created_by, now() FROM bots b;
		INSERT INTO documents (workspace_id, id, base_id, title, metadata, content_type, content_hash, size, status, generation, build_size, build_overlap, created_by, created_at, updated_at)
			SELECT md5('workspace')::uuid, md5('document ' || n)::uuid, md5('base ' || n % 2)::uuid, 'd', '{}', '', sha256(''), 1, 'ready', 1, 1, 0, gen_random_uuid(), now(), now() FROM generate_series(0, 199) n;
		INSERT INTO chunks (workspace_id, id, base_id, document_id, generation, ordinal, start_at, end_at, headings, table_header, text, tsv)
			SELECT md5('workspace')::uuid, md5('chunk ' || n)::uuid, md5('base ' || n % 2)::uuid, md5('document ' || n % 200)::uuid, 1, n / 200, 0, 1, '{}', '', 'x', '' FROM generate_series(0, 19999) n;
		RESET session_replication_role; ANALYZE; SET track_functions = 'pl';
		SELECT set_config('app.workspace_id', md5('workspace')::uuid::text, false); SET ROLE parley_app`)
	for bots, want := range map[string][]int{"": {20000, 0}, "some": {10000, 2}} {
		exec("BEGIN")
		exec(`SELECT set_config('app.bots', CASE '` + bots + `' WHEN '' THEN '' ELSE (SELECT array_agg(id)::text FROM bots) END, true)`)
		lookups := func() (n int) { // those that are not yet in the statistics of the server: also of transactions before
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT coalesce(pg_stat_get_xact_function_calls('app.known_bases()'::regprocedure), 0)`).Scan(&n))
			return n
		}
		var rows int
		before := lookups()
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM chunks c JOIN documents d ON d.workspace_id = c.workspace_id AND d.id = c.document_id`).Scan(&rows))
		require.Equal(t, want, []int{rows, lookups() - before}, "rows, and lookups, one for each table")
		exec("ROLLBACK")
	}
}
