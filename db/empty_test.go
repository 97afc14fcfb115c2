package db_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db/activitydb"
	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/db/channelsdb"
	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/db/platformdb"
)

// An aggregate over nothing is NULL, and so is what a LEFT JOIN does not find. Every generated query is run where there is
// nothing: in a workspace of one member, in a deleted one by a member who may not restore it, and by somebody who is in none.
func TestNoQueryReadsNULLIntoAValueWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	type caller struct{ workspace, user uuid.UUID }
	callers := []caller{{uuid.New(), uuid.New()}, {uuid.New(), uuid.New()}, {uuid.New(), uuid.New()}}
	for i, role := range []string{"owner", "editor"} {
		for _, sql := range []string{
			`INSERT INTO users (id, email, password_hash, operation_id, created_at) SELECT $2, $3 || '@example.com', '', $1, now()`,
			`INSERT INTO workspaces (id, name, created_at, deleted_at) SELECT $1, $2::uuid::text, now(), CASE $3::text WHEN 'editor' THEN now() END`,
			`INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, now())`,
		} {
			_, err := conn.Exec(t.Context(), sql, callers[i].workspace, callers[i].user, role)
			require.NoError(t, err)
		}
	}
	run := 0
	for _, caller := range callers {
		for _, open := range []func(tx pgx.Tx) any{
			func(tx pgx.Tx) any { return activitydb.New(tx) }, func(tx pgx.Tx) any { return authdb.New(tx) }, func(tx pgx.Tx) any { return botsdb.New(tx) },
			func(tx pgx.Tx) any { return channelsdb.New(tx) }, func(tx pgx.Tx) any { return conversationsdb.New(tx) }, func(tx pgx.Tx) any { return knowledgedb.New(tx) }, func(tx pgx.Tx) any { return platformdb.New(tx) },
		} {
			queries := reflect.TypeOf(open(nil))
			for method := range queries.Methods() {
				if method.Name == "WithTx" {
					continue
				}
				tx, err := conn.Begin(t.Context())
				require.NoError(t, err)
				_, err = tx.Exec(t.Context(), `SELECT set_config('role', 'parley_app', true), set_config('app.workspace_id', $1, true), set_config('app.user_id', $2, true)`,
					caller.workspace.String(), caller.user.String())
				require.NoError(t, err)
				args := []reflect.Value{reflect.ValueOf(open(tx)), reflect.ValueOf(t.Context())}
				for n := 2; n < method.Type.NumIn(); n++ {
					args = append(args, argument(method.Type.In(n), "", caller.workspace, caller.user))
				}
				results := method.Func.Call(args)
				if err, failed := reflect.TypeAssert[error](results[len(results)-1]); failed {
					require.NotContains(t, err.Error(), "scan", "%s.%s", queries, method.Name)
				} else if len(results) > 1 {
					requireJSON(t, results[0], queries.String()+"."+method.Name)
				}
				require.NoError(t, tx.Rollback(t.Context()))
				run++
			}
		}
	}
	require.Greater(t, run, 400)
}

// requireJSON holds what is to be read as JSON to being some: NULL would be read as no bytes.
func requireJSON(t *testing.T, result reflect.Value, query string) {
	t.Helper()
	switch result.Kind() {
	case reflect.Slice:
		for i := range result.Len() {
			requireJSON(t, result.Index(i), query)
		}
	case reflect.Struct:
		for i := range result.NumField() {
			if !result.Type().Field(i).IsExported() { // of a time
				continue
			}
			if raw, ok := reflect.TypeAssert[json.RawMessage](result.Field(i)); ok && raw == nil {
				t.Error("NULL:", query, result.Type().Field(i).Name)
			}
		}
	default:
	}
}

// argument makes a value for a parameter: ids of the caller by their names, and else what finds nothing.
func argument(kind reflect.Type, name string, workspace, user uuid.UUID) reflect.Value {
	v := reflect.New(kind).Elem()
	switch value := v.Addr().Interface().(type) {
	case *uuid.UUID:
		*value = map[string]uuid.UUID{"WorkspaceID": workspace, "UserID": user, "": workspace}[name]
		return v
	case *json.RawMessage:
		*value = json.RawMessage("[]")
		return v
	case *time.Time:
		*value = time.Now()
		return v
	}
	switch kind.Kind() {
	case reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(10)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(kind, 0, 0))
	case reflect.Struct:
		for i := range kind.NumField() {
			if field := v.Field(i); field.CanSet() {
				field.Set(argument(field.Type(), kind.Field(i).Name, workspace, user))
			}
		}
	default: // zero: empty, false or NULL
	}
	return v
}
