package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// NextData reads the JSON of the next event of a stream in another form than that of TurnEvent; nil after the last one.
func (s *EventReader) NextData() (data map[string]any) {
	s.t.Helper()
	for s.lines.Scan() {
		if value, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok && value != "[DONE]" {
			require.NoError(s.t, json.Unmarshal([]byte(value), &data), value)
			return data
		}
	}
	return nil
}

// Disconnects makes a call on a connection of its own, which breaks when the context ends.
func (c *Caller) Disconnects(ctx context.Context, t *testing.T, path string, body any, headers ...Header) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+path, bytes.NewReader(raw))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.Token)
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return
	}
	_, _ = io.Copy(io.Discard, res.Body) // until the context ends
	_ = res.Body.Close()
}
