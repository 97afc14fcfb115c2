package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/work/webhook"
)

func TestAnAnswerThatComesPieceByPieceIsBounded(t *testing.T) {
	t.Parallel()
	endless := func(status int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for piece := make([]byte, 64<<10); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}))
		t.Cleanup(s.Close)
		return s
	}
	for status, most := range map[int]int64{http.StatusOK: 256 << 20, http.StatusBadRequest: 64 << 10} {
		for _, client := range []*http.Client{webhook.NewTrustedStreamClient(), webhook.NewStreamClient(webhook.AnyTargets)} {
			answer, err := client.Get(endless(status).URL)
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, answer.Body)
			require.NoError(t, err)
			require.Equal(t, most, n)
			require.NoError(t, answer.Body.Close())
		}
	}
	_, err := webhook.NewStreamClient(webhook.PublicTargets).Get(endless(http.StatusOK).URL)
	require.ErrorContains(t, err, "not public", "a tenant reaches into our network")
}
