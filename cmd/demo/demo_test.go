package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func demo(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(t.Context(), args, &out, &problems)
	return code, out.String(), problems.String()
}

func TestTheDemoSaysWhatToDoWhereNoServerIs(t *testing.T) {
	t.Parallel()
	code, out, problems := demo(t, "-url", "http://127.0.0.1:1") // where nobody serves: a port that was free a moment ago may be another test's
	require.Equal(t, exitFailed, code)
	require.Contains(t, problems, "run make dev in another shell")
	require.NotContains(t, out, "All went well")
}

func TestTheDemoStopsAtAnAnswerThatIsNotAsItShouldBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body, says string
	}{
		"another status":      {http.StatusInternalServerError, `{"code":"INTERNAL_ERROR"}`, "the status is 500 and should be 201"},
		"a field is missing":  {http.StatusCreated, `{"user_id":"1"}`, `workspace_id is "" and should be`},
		"a field is wrong":    {http.StatusCreated, `{"user_id":"1","workspace_id":"2","token_type":"mac"}`, `token_type is "mac" and should be "bearer"`},
		"the body is no JSON": {http.StatusCreated, `<html>`, "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer stub.Close()
			code, out, problems := demo(t, "-url", stub.URL)
			require.Equal(t, exitFailed, code)
			require.Contains(t, problems, "POST /v1/auth/register")
			require.Contains(t, problems, c.says)
			require.NotContains(t, out, "All went well")
			require.Equal(t, 1, calls, "nothing is called after a failure")
		})
	}
}

func TestTheDemoDoesNotTakeASecondTurnForAReplay(t *testing.T) {
	t.Parallel()
	first := answer{status: http.StatusOK, raw: []byte(`{"a":1}`)}
	for name, second := range map[string]answer{
		"without the header": {status: http.StatusOK, raw: first.raw},
		"other bytes":        {status: http.StatusOK, raw: []byte(`{"a":2}`), replayed: "true"},
	} {
		w := newWalker("", &bytes.Buffer{})
		require.ErrorContains(t, w.check(step{status: http.StatusOK, replayOf: &first}, second), "a retry", name)
	}
}

func TestTheDemoRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-speed"}, {"-url", "8080"}, {"-url", "http://127.0.0.1:1", "more"}} {
		code, _, problems := demo(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.NotEmpty(t, problems, args)
	}
	code, _, usage := demo(t, "-help")
	require.Equal(t, exitOK, code)
	require.Contains(t, usage, "-url")
}
