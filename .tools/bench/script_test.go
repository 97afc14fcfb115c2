package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMakeScriptKeepsTheStatementsAndMakesFreshWhatIsFresh(t *testing.T) {
	t.Parallel()
	const thread = "0199d3a0-0000-7000-8000-000000000001"
	turns := []string{"0199d3a0-0000-7000-8000-00000000000a", "0199d3a0-0000-7000-8000-00000000000b", "0199d3a0-0000-7000-8000-00000000000c"}
	operations := []string{"7d444840-9dc0-41d1-b245-5ffdce74fad2", "7d444840-9dc0-41d1-b245-5ffdce74fad3", "7d444840-9dc0-41d1-b245-5ffdce74fad4"}
	samples := make([][]transaction, 3)
	for i := range samples {
		samples[i] = []transaction{
			{
				{sql: "-- name: RelaxCommit :exec\nSELECT set_config('synchronous_commit', 'off', true)"},
				{sql: "-- name: Start :one\n-- Opens it; :x\nINSERT INTO turns SELECT $1, $2, $3::uuid, $1", args: []argument{
					{text: thread, isUUID: true}, {text: turns[i], isUUID: true}, {text: operations[i], isUUID: true},
				}},
			},
			{
				{sql: "UPDATE turns SET seq = $1, error = $2, at = $3 WHERE id = $4", args: []argument{
					{text: []string{"2", "4", "6"}[i]}, {null: true}, {text: []string{"noon", "one", "two"}[i]}, {text: turns[i], isUUID: true},
				}},
				{sql: "COMMIT"},
			},
		}
	}

	got, err := makeScript(samples, map[string]string{thread: "thread"})

	require.NoError(t, err)
	require.Equal(t, `\if :ready = 0
SELECT thread FROM bench.clients WHERE run = :run AND client = :client_id \gset
\set ready 1
\endif
\set tick :tick + 1
\set v2 (:tick * 64 + :client_id) * 16 + 0
\set v3 random(1, 9000000000000000000)
\set v4 :v4 + 2
\startpipeline
INSERT INTO turns SELECT :thread, lpad(:v2, 32, '0')::uuid, lpad(:v3, 32, '0')::uuid::uuid, :thread;
\endpipeline
\startpipeline
UPDATE turns SET seq = :v4, error = NULL, at = :v5 WHERE id = lpad(:v2, 32, '0')::uuid;
COMMIT;
\endpipeline
`, got.text)
	require.Equal(t, map[string]string{"ready": "0", "v4": "0", "v5": "noon"}, got.variables)
}

func TestMakeScriptRefusesSamplesOfDifferentStatements(t *testing.T) {
	t.Parallel()
	one := []transaction{{{sql: "SELECT 1"}}}
	_, err := makeScript([][]transaction{one, one, {{{sql: "SELECT 2"}}}}, nil)
	require.ErrorContains(t, err, "not of the same statements")
}

func TestMakeScriptWritesAnEmptyTextAsALiteral(t *testing.T) {
	t.Parallel()
	one := []transaction{{{sql: "SELECT $1", args: []argument{{text: ""}}}}}
	got, err := makeScript([][]transaction{one, one, one}, nil)
	require.NoError(t, err)
	require.Contains(t, got.text, "SELECT '';\n")
}

func TestSettingsBecomeOptionsOfAConnection(t *testing.T) {
	t.Parallel()
	got, err := connectionOptions([]string{"-- ping", "SET LOCAL lock_timeout = '2s'", "SET ROLE parley_app; SET statement_timeout = '30s'"})
	require.NoError(t, err)
	require.Equal(t, "-c role=parley_app -c statement_timeout=30s", got)
}
