package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/parley/parley/platform/request/callctx"
)

// Sentry is a log handler that sends errors to a Sentry server, with the ids of the call and without personal data.
type Sentry struct {
	client   *sentry.Client
	scrubber *Scrubber
	attrs    []slog.Attr
}

// NewSentry returns a Sentry for the server of the DSN. The scrubber removes secrets from all texts of an event. Events
// are sent in the background, and are lost if they cannot be sent.
func NewSentry(dsn, environment, release string, scrubber *Scrubber) (*Sentry, error) {
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: dsn, Environment: environment, Release: release,
		ServerName:   "parley", // else the host's
		Integrations: func([]sentry.Integration) []sentry.Integration { return nil },
	})
	if err != nil {
		return nil, fmt.Errorf("SENTRY_DSN: %w", err)
	}
	return &Sentry{client: client, scrubber: scrubber}, nil
}

func (s *Sentry) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (s *Sentry) Handle(ctx context.Context, r slog.Record) error {
	c := callctx.From(ctx)
	event := sentry.NewEvent()
	event.Level, event.Timestamp, event.Message, event.Logger = sentry.LevelError, r.Time, s.scrubber.Scrub(r.Message), "parley"
	event.Tags = map[string]string{
		"trace_id": s.scrubber.Scrub(c.TraceID), "operation_id": c.Operation.ID.String(), "workspace_id": c.Principal.WorkspaceID.String(),
	}
	event.User = sentry.User{ID: c.Principal.UserID.String()}
	details := sentry.Context{}
	tell := func(a slog.Attr) bool {
		details[a.Key] = s.scrubber.Scrub(a.Value.Resolve().String())
		if err, ok := a.Value.Any().(error); ok {
			event.Exception = append(event.Exception, sentry.Exception{Type: event.Message, Value: s.scrubber.Scrub(err.Error())})
		}
		return true
	}
	for _, a := range s.attrs {
		tell(a)
	}
	r.Attrs(tell)
	event.Contexts = map[string]sentry.Context{"log": details}
	s.client.CaptureEvent(event, nil, nil)
	return nil
}

func (s *Sentry) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Sentry{s.client, s.scrubber, append(slices.Clip(s.attrs), attrs...)}
}

// WithGroup returns s unchanged: names of groups are left out.
func (s *Sentry) WithGroup(string) slog.Handler { return s }

// Close sends pending events, for a short time at most.
func (s *Sentry) Close() error {
	s.client.Flush(sentryTimeout)
	s.client.Close()
	return nil
}

const sentryTimeout = 2 * time.Second
