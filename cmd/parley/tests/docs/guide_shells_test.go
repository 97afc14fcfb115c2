package docs

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// guideShells are the shells that the examples are written for, started as a terminal starts them but without the user's files.
// Each reads a block from standard input as it would read a paste.
var guideShells = map[string][]string{
	"bash": {"bash", "--norc", "--noprofile", "-i"},
	"dash": {"dash", "-i"},
	"zsh":  {"zsh", "-f", "-i"},
}

// guideRefusals are the error answers that a guide shows on purpose, by its file.
var guideRefusals = map[string][]string{
	"errors.md": {"422 POST /v1/bots"},
	"sessions.md": {"404 POST /v1/auth/password/reset", "404 POST /v1/auth/email/verify", "404 POST /v1/auth/email/change/confirm", // their tokens are in emails
		"422 POST /v1/auth/factors/totp/confirm", "409 DELETE /v1/auth/me"}, // its code is in an app; the only owner does not go
}

// guideSettings are those of development, with jobs that are looked for more often.
var guideSettings = []string{"JOB_POLL_INTERVAL=20ms", "BREAKER_OPEN_FOR=50ms"}

var guideBlock = regexp.MustCompile("(?ms)^```bash\n(.*?)^```$")

// guideBlocks returns the blocks of a guide that are pasted. Those marked sh are for reading only.
func guideBlocks(t *testing.T, file string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, found := range guideBlock.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// The examples of README.md and of every guide work when they are pasted into bash, dash and zsh: no call fails that is not
// meant to, and the shell has nothing to complain about.
func TestTheExamplesOfTheGuidesWorkInEveryShell(t *testing.T) {
	t.Parallel()
	start := startGuideServer(t)
	guides, err := filepath.Glob("../../../../api/guides/*.md")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(guides), 8)
	setUp := guideBlocks(t, "../../../../api/guides/start.md")[0]
	for shell, args := range guideShells {
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Run(shell, func(t *testing.T) { t.Parallel(); t.Skipf("%s is not installed", args[0]) })
			continue
		}
		for _, guide := range append(guides, "../../../../README.md") {
			blocks := guideBlocks(t, guide)
			if len(blocks) == 0 {
				continue
			}
			name := filepath.Base(guide)
			if name != "start.md" && guide != "../../../../README.md" {
				blocks = append([]string{setUp}, blocks...)
			}
			t.Run(shell+"/"+name, func(t *testing.T) {
				t.Parallel()
				server := start(t)
				server.paste(t, args, blocks)
				require.ElementsMatch(t, guideRefusals[name], server.refused())
				require.NotEmpty(t, server.calls, "no call was made")
			})
		}
	}
}

// guideServer is what the examples call: a proxy in front of one program, which notes each call with the status of its answer.
type guideServer struct {
	url   string
	mu    sync.Mutex
	calls []string
}

// startGuideServer starts the program and returns a function that puts a proxy of its own in front of it for each test.
func startGuideServer(t *testing.T) func(t *testing.T) *guideServer {
	t.Helper()
	program, err := url.Parse(harness.Start(t, guideSettings...).URL)
	require.NoError(t, err)
	return func(t *testing.T) *guideServer {
		t.Helper()
		s := &guideServer{}
		proxy := httputil.NewSingleHostReverseProxy(program)
		proxy.FlushInterval = -1 // of streams
		proxy.ModifyResponse = func(res *http.Response) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls = append(s.calls, res.Status[:3]+" "+res.Request.Method+" "+res.Request.URL.Path)
			return nil
		}
		server := httptest.NewServer(proxy)
		t.Cleanup(server.Close)
		s.url = server.URL
		return s
	}
}

// refused returns the calls that were not answered 2xx.
func (s *guideServer) refused() (refused []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		if call[0] != '2' {
			refused = append(refused, call)
		}
	}
	return refused
}

// paste gives the blocks to a shell and fails where the shell complains or does not reach their end.
func (s *guideServer) paste(t *testing.T, shell, blocks []string) {
	t.Helper()
	dir := t.TempDir()
	text := strings.Join(blocks, "\n") + "\ncommand -v sed && echo the end\n"
	text = strings.NewReplacer("http://127.0.0.1:8080", s.url, "127.0.0.1:9999", harness.FreeAddress(t), "/tmp/", dir+"/").Replace(text)
	cmd := exec.CommandContext(t.Context(), shell[0], shell[1:]...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(text)
	cmd.Env = append(os.Environ(), "HISTFILE=", "PS1=", "PS2=", "PROMPT=", "ENV=", "HOME="+dir, "GOFLAGS=",
		"GOCACHE="+strings.TrimSpace(goEnv(t, "GOCACHE")), "GOPATH="+strings.TrimSpace(goEnv(t, "GOPATH")))
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	_ = cmd.Run() // its exit code is that of the last command; what went wrong is in its output
	require.Contains(t, out.String(), "the end", complaints.String())
	require.NotRegexp(t, `not found|no such|parse error|no matches|bad (pattern|substitution)|event not found|[Ss]yntax error|[Uu]nexpected|read-only|curl: `,
		complaints.String())
	require.NotContains(t, out.String(), `"code":"INTERNAL_ERROR"`)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	require.NoError(t, err)
	return string(value)
}
