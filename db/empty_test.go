package db_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/db/authdb"
	"github.com/parley/parley/db/botsdb"
	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/db/platformdb"
)

// An aggregate over nothing is NULL, and so is what a LEFT JOIN does not find. Every generated query is run where there is
// nothing: in a workspace of one member, and by somebody who is in no workspace.
func TestNoQueryReadsNULLIntoAValueWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	conn := pg.Superuser(t, pg.URL(t))
	workspace, user := uuid.New(), uuid.New()
	for _, sql := range []string{
		`INSERT INTO users (id, email, password_hash, operation_id, created_at) VALUES ($2, 'ada@example.com', '', $1, now())`,
		`INSERT INTO workspaces (id, name, created_at) SELECT $1, 'Acme', now() WHERE $2::uuid IS NOT NULL`,
		`INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES ($1, $2, 'owner', now())`,
	} {
		_, err := conn.Exec(t.Context(), sql, workspace, user)
		require.NoError(t, err)
	}
	run := 0
	for _, caller := range []struct{ workspace, user uuid.UUID }{{workspace, user}, {uuid.New(), uuid.New()}} {
		for _, open := range []func(tx pgx.Tx) any{
			func(tx pgx.Tx) any { return authdb.New(tx) }, func(tx pgx.Tx) any { return botsdb.New(tx) },
			func(tx pgx.Tx) any { return conversationsdb.New(tx) }, func(tx pgx.Tx) any { return platformdb.New(tx) },
		} {
			queries := reflect.TypeOf(open(nil))
			for i := range queries.NumMethod() {
				method := queries.Method(i)
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
				if err, _ := results[len(results)-1].Interface().(error); err != nil {
					require.NotContains(t, err.Error(), "scan", "%s.%s", queries, method.Name)
				}
				require.NoError(t, tx.Rollback(t.Context()))
				run++
			}
		}
	}
	require.Greater(t, run, 300)
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
