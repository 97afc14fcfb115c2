package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestTheDemoWaitsForWhatHappensInTheBackground(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says  []string // the statuses, one a call
		wrong string
	}{
		"ready in the end": {[]string{"queued", "chunking", "ready"}, ""},
		"failed":           {[]string{"queued", "failed"}, `status is "failed" and should be "ready"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"status":%q}`, c.says[calls])
				calls++
			}))
			defer stub.Close()
			var out bytes.Buffer
			w := newWalker(stub.URL, &out)
			w.ctx = t.Context()
			w.do(step{method: http.MethodGet, path: "/", status: http.StatusOK, until: &fact{"status", "ready"}, facts: []fact{{"status", "ready"}}})
			require.Equal(t, len(c.says), calls)
			require.Equal(t, 1, strings.Count(out.String(), "GET /"), "it is printed once")
			if c.wrong == "" {
				require.NoError(t, w.err)
				return
			}
			require.ErrorContains(t, w.err, c.wrong)
		})
	}
}

func TestTheDemoHoldsAQuoteToTheTextOfItsDocument(t *testing.T) {
	t.Parallel()
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"text":"– two days"}`)) }))
	defer stub.Close()
	for cited, wrong := range map[string]string{
		`{"quote":"two days","start":2,"end":10}`: "",
		`{"quote":"two days","start":4,"end":12}`: `the characters 4 to 12 should be "two days"`,
		`{"quote":"two","start":2,"end":6}`:       `the characters 2 to 6 should be "two"`,
	} {
		var out bytes.Buffer
		w := newWalker(stub.URL, &out)
		w.ctx = t.Context()
		w.open("/text", answer{raw: []byte(`{"assistant_message":{"citations":[` + cited + `]}}`)})
		if wrong == "" {
			require.NoError(t, w.err)
			require.Contains(t, out.String(), "two days, characters 2 to 10")
			continue
		}
		require.ErrorContains(t, w.err, wrong)
	}
}
