// Package telemetry provides logs, metrics, traces and error reports for the operator.
package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/google/uuid"

	"github.com/parley/parley/platform/request/callctx"
)

// NewLogger returns a logger that writes JSON, or with format "text" lines for people. What is known of the call in the
// context (trace, operation, workspace, user) is on every line. A Batch holds no warning back.
func NewLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(w, options)
	if format == "text" {
		h = slog.NewTextHandler(w, options)
	}
	batch, _ := w.(*Batch)
	return slog.New(callHandler{h, batch})
}

// callHandler adds the ids of the call.
type callHandler struct {
	slog.Handler
	batch *Batch // nil where every line goes out at once
}

func (h callHandler) Handle(ctx context.Context, r slog.Record) error {
	c := callctx.From(ctx)
	attrs := make([]slog.Attr, 0, 12)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, readable(a))
		return true
	})
	if c.TraceID != "" {
		attrs = append(attrs, slog.String("trace_id", c.TraceID))
	}
	attrs = addID(attrs, "operation_id", c.Operation.ID)
	attrs = addID(attrs, "workspace_id", c.Principal.WorkspaceID)
	attrs = addID(attrs, "user_id", c.Principal.UserID)
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	line.AddAttrs(attrs...)
	err := h.Handler.Handle(ctx, line)
	if h.batch != nil && r.Level >= slog.LevelWarn {
		err = errors.Join(err, h.batch.Flush())
	}
	return err
}

func addID(attrs []slog.Attr, name string, id uuid.UUID) []slog.Attr {
	if id == uuid.Nil {
		return attrs
	}
	return append(attrs, slog.String(name, id.String()))
}

// readable makes "1.5ms" of a duration, which would be nanoseconds.
func readable(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	if a.Value.Kind() == slog.KindGroup {
		a.Value = slog.GroupValue(readableAll(a.Value.Group())...)
	}
	return a
}

func readableAll(attrs []slog.Attr) []slog.Attr {
	texts := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		texts[i] = readable(a)
	}
	return texts
}

func (h callHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return callHandler{h.Handler.WithAttrs(readableAll(attrs)), h.batch}
}

func (h callHandler) WithGroup(name string) slog.Handler {
	return callHandler{h.Handler.WithGroup(name), h.batch}
}
