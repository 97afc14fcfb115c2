package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/platform/testing/foldertest"
)

const SavedText = "The parcel comes on Tuesday.\n"

// BuiltProgram builds the program as the image does, once for all tests.
var BuiltProgram = sync.OnceValues(func() (string, error) {
	return Build("parley", project()+"/cmd/parley")
})

// Build builds the program in a folder and gives its path.
func Build(name, folder string) (string, error) {
	dir, err := os.MkdirTemp("", "parley-binary-")
	if err != nil {
		return "", err
	}
	AtEnd = append(AtEnd, func() { os.RemoveAll(dir) })
	// Some tests run it as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, ".")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

var DeployFolder = project() + "/.deploy/"

// manifest is as much of an object of Kubernetes, or of a kustomization, as is compared with the program.
type manifest struct {
	Kind               string
	Metadata           struct{ Name string }
	ConfigMapGenerator []struct{ Literals []string }
	Spec               struct {
		Template struct {
			Spec podSpec
		}
	}
}

type podSpec struct {
	TerminationGracePeriodSeconds int
	SecurityContext               struct{ RunAsUser int }
	Containers                    []struct {
		Args  []string
		Env   []struct{ Name, Value string }
		Ports []struct {
			Name          string
			ContainerPort int
		}
		StartupProbe, LivenessProbe, ReadinessProbe *Probe
		VolumeMounts                                []struct{ MountPath string }
	}
}

type Probe struct {
	HTTPGet                         struct{ Path, Port string }
	PeriodSeconds, FailureThreshold int
}

// Manifests reads every object below .deploy/kubernetes.
func Manifests(t *testing.T) (all []manifest) {
	t.Helper()
	files, err := filepath.Glob(DeployFolder + "kubernetes/*/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var m manifest
			require.NoError(t, yaml.Unmarshal([]byte(document), &m), file)
			all = append(all, m)
		}
	}
	return all
}

// Deployed are the settings of every way to deploy, by its file.
func Deployed(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{"kubernetes": {}, "systemd": {}}
	for _, m := range Manifests(t) {
		for _, made := range m.ConfigMapGenerator {
			for _, literal := range made.Literals {
				name, value, _ := strings.Cut(literal, "=")
				all["kubernetes"][name] = value
			}
		}
		for _, c := range m.Spec.Template.Spec.Containers {
			for _, e := range c.Env {
				all["kubernetes"][e.Name] = e.Value
			}
		}
	}
	for _, match := range regexp.MustCompile(`(?m)^Environment=(\w+)=(.*)$`).FindAllStringSubmatch(Unit(t), -1) {
		all["systemd"][match[1]] = match[2]
	}
	require.NotEmpty(t, all["kubernetes"])
	require.NotEmpty(t, all["systemd"])
	return all
}

func Unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(DeployFolder + "systemd/parley.service")
	require.NoError(t, err)
	return string(text)
}

const (
	Timeout = 2 * time.Minute
	Tick    = 20 * time.Millisecond
)

// OpenFolder is a temporary folder that the embedded database's user can pass through, when we are root.
func OpenFolder(t *testing.T) string {
	t.Helper()
	dir, err := foldertest.Make("parley-data-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// Child is the real binary, run as a process of its own.
type Child struct {
	*Program
	Cmd    *exec.Cmd
	exited chan struct{}
}

// Spawn starts the binary with nothing in its environment but what is given.
func Spawn(t *testing.T, binary string, environ []string, args ...string) *Child {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	return SpawnCommand(t, cmd)
}

func SpawnCommand(t *testing.T, cmd *exec.Cmd) *Child {
	t.Helper()
	output, err := cmd.StderrPipe()
	require.NoError(t, err)
	c := &Child{Program: &Program{Log: NewLogBuffer()}, Cmd: cmd, exited: make(chan struct{})}
	require.NoError(t, cmd.Start())
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			_, _ = c.Log.Write(append(lines.Bytes(), '\n'))
		}
		_ = cmd.Wait()
		close(c.exited)
	}()
	t.Cleanup(func() { c.End(t, syscall.SIGTERM) })
	c.Client = &http.Client{Transport: ContractTransport{T: t, Contract: LoadedContract()}, Timeout: Timeout}
	return c
}

// Serving waits until the child serves.
func (c *Child) Serving(t *testing.T) *Child {
	t.Helper()
	select {
	case c.URL = <-c.Log.Serving:
	case <-c.exited:
		t.Fatalf("parley ended:\n%s", c.Log)
	case <-time.After(Timeout):
		t.Fatalf("parley does not serve:\n%s", c.Log)
	}
	return c
}

// Wait gives the exit code.
func (c *Child) Wait(t *testing.T) int {
	t.Helper()
	select {
	case <-c.exited:
		return c.Cmd.ProcessState.ExitCode()
	case <-time.After(Timeout):
		t.Fatalf("parley does not end:\n%s", c.Log)
		return 0
	}
}

func (c *Child) End(t *testing.T, s os.Signal) int {
	t.Helper()
	if err := c.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		require.NoError(t, err)
	}
	return c.Wait(t)
}

// Tool runs a subcommand to its end, within this process.
func Tool(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, failed bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	code = app.Run(ctx, "test", append([]string{"parley"}, args...), environ, &out, &failed)
	return code, out.String(), failed.String()
}

// Problems are the last words: one line a problem.
func Problems(stderr string) (lines []string) {
	for line := range strings.SplitSeq(strings.TrimSpace(stderr), "\n") {
		if !strings.HasPrefix(line, "{") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Operate runs a command of an operator with --json, and gives its lines.
func Operate(t *testing.T, environ []string, args ...string) (lines []map[string]any) {
	t.Helper()
	code, stdout, stderr := Tool(t, environ, append(args, "--json")...)
	require.Equal(t, app.ExitOK, code, stderr)
	return JSONLines(t, stdout)
}

func JSONLines(t *testing.T, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &v), text)
		lines = append(lines, v)
	}
	return lines
}

func (p *Program) LogIn(t *testing.T, email, password string) Answer {
	t.Helper()
	return p.Anonymous().Post(t, "/v1/auth/login", map[string]any{"email": email, "password": password})
}

// Audited counts the rows of an action in the audit log of a workspace that an operator caused.
func (p *Program) Audited(t *testing.T, workspace, action string) int {
	t.Helper()
	return p.Number(t, `SELECT count(*) FROM audit_log WHERE workspace_id = $1 AND action = $2 AND user_agent = 'operator' AND user_id IS NULL`, workspace, action)
}

func (c *Caller) MakeBot(t *testing.T, name string) {
	t.Helper()
	a := c.Post(t, "/v1/bots", map[string]any{"name": name})
	require.Equal(t, http.StatusCreated, a.Status, a)
}

// At is the caller at one of the processes.
func (c *Caller) At(p *Child) *Caller {
	there := *c
	there.Program = p.Program
	return &there
}

// project returns the folder of the project, from wherever below it.
func project() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err = os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir, err = parent, nil
		}
	}
	panic(err)
}
