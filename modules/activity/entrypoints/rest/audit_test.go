package rest_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/activity/entrypoints/rest"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/testing/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// breaking takes an answer and has the database away from its first byte on.
type breaking struct {
	bytes.Buffer
	end func()
}

func (b *breaking) Header() http.Header { return http.Header{} }
func (b *breaking) WriteHeader(int)     {}
func (b *breaking) Write(p []byte) (int, error) {
	b.end()
	return b.Buffer.Write(p)
}

func TestAnExportThatBreaksOffDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	db, workspace := pg.DB(t), uuid.New()
	log := audit.NewLog(db)
	require.NoError(t, db.Write(callctx.As(t.Context(), workspace, uuid.New()), func(ctx context.Context) error {
		for range 501 {
			if err := log.Record(ctx, audit.Entry{Action: "bot.create", Resource: "bot"}); err != nil {
				return err
			}
		}
		return nil
	}))
	ctx, end := context.WithCancel(callctx.As(t.Context(), workspace, uuid.New()))
	defer end()
	answer, err := rest.Server{Audit: log}.ExportAudit(ctx, rest.ExportAuditRequestObject{})
	require.NoError(t, err)
	w := &breaking{end: end}
	require.Error(t, answer.VisitExportAuditResponse(w))
	require.Equal(t, 499, bytes.Count(w.Bytes(), []byte{'\n'}), "500 rows were written, and the last line is not ended")
	require.NotEqual(t, byte('\n'), w.Bytes()[w.Len()-1], "the document promises that it ends without its last line feed")
}
