package contract

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestTheSuiteWouldSeeAnAnswerThatBreaksTheDocument(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a field that the document does not name": `{"status":"ok","more":1}`,
		"a field missing":                         `{}`,
		"a wrong value":                           `{"status":"fine"}`,
		"a wrong type":                            `{"status":1}`,
		"null":                                    `{"status":null}`,
		"a list":                                  `[]`,
	} {
		quiet := &testing.T{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/healthz", nil)
		require.NoError(t, err)
		res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X-Trace-Id": {"a"}, "Content-Type": {"application/json"}}}
		harness.ContractTransport{T: quiet, Contract: harness.LoadedContract()}.Check(req, nil, res, []byte(body))
		require.True(t, quiet.Failed(), name)
	}
}
