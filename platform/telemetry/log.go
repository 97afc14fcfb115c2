// Package telemetry is what an operator sees of the program: for now its log.
package telemetry

import (
	"context"
	"io"
	"log/slog"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/call"
)

// NewLogger makes a logger that writes JSON, or with format "text" lines for people. What is known of the call in the
// context (trace, operation, workspace, user) is on every line.
func NewLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(w, options)
	if format == "text" {
		h = slog.NewTextHandler(w, options)
	}
	return slog.New(callHandler{h})
}

// callHandler adds the ids of the call.
type callHandler struct{ slog.Handler }

func (h callHandler) Handle(ctx context.Context, r slog.Record) error {
	c := call.From(ctx)
	if c.TraceID != "" {
		r.AddAttrs(slog.String("trace_id", c.TraceID))
	}
	for _, id := range []struct {
		name  string
		value uuid.UUID
	}{
		{"operation_id", c.Operation.ID},
		{"workspace_id", c.Principal.WorkspaceID},
		{"user_id", c.Principal.UserID},
	} {
		if id.value != uuid.Nil {
			r.AddAttrs(slog.String(id.name, id.value.String()))
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h callHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return callHandler{h.Handler.WithAttrs(attrs)}
}

func (h callHandler) WithGroup(name string) slog.Handler {
	return callHandler{h.Handler.WithGroup(name)}
}
