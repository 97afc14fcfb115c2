package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/pgtest"
)

var pg pgtest.Server

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// startParley builds the real program, runs it on a database of the test's own, and gives the address of its API.
func startParley(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "parley")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../parley").CombinedOutput()
	require.NoError(t, err, "%s", built)
	cmd := exec.Command(bin, "serve")
	cmd.Env = []string{"HTTP_ADDR=127.0.0.1:0", "DATABASE_URL=" + pg.URL(t), "DATA_DIR=" + t.TempDir()}
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	serving, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				serving <- line.Address
			}
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		<-ended
		require.NoError(t, cmd.Wait(), "it stops in good order")
	})
	select {
	case address := <-serving:
		return address
	case <-ended:
		require.FailNow(t, "parley ended before it served")
	case <-time.After(time.Minute):
		require.FailNow(t, "parley does not serve")
	}
	return ""
}

func demo(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(t.Context(), args, &out, &problems)
	return code, out.String(), problems.String()
}

func TestTheDemoWalksTheRealProgramAsOftenAsOneLikes(t *testing.T) {
	t.Parallel()
	url := startParley(t)
	for range 2 { // another address each time, so the second run meets no conflict
		code, out, problems := demo(t, "-url", url+"/")
		require.Equal(t, exitOK, code, "%s%s", out, problems)
		require.Empty(t, problems)
		for _, part := range []string{
			"U1 ", "POST /v1/auth/register", "201 Created", "U3 ", "U5 ", "current_version: 2", "U10 ",
			"Echo: Where is my order?", "X-Operation-Replayed: true", "All went well",
		} {
			require.Contains(t, out, part)
		}
	}
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
