package app

import (
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/parley/parley/platform/config"
)

const deployFolder = "../../.deploy/"

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
		StartupProbe, LivenessProbe, ReadinessProbe *probe
		VolumeMounts                                []struct{ MountPath string }
	}
}

type probe struct {
	HTTPGet                         struct{ Path, Port string }
	PeriodSeconds, FailureThreshold int
}

// manifests reads every object below .deploy/kubernetes.
func manifests(t *testing.T) (all []manifest) {
	t.Helper()
	files, err := filepath.Glob(deployFolder + "kubernetes/*/*.yaml")
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

// deployed are the settings of every way to deploy, by its file.
func deployed(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{"kubernetes": {}, "systemd": {}}
	for _, m := range manifests(t) {
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
	for _, match := range regexp.MustCompile(`(?m)^Environment=(\w+)=(.*)$`).FindAllStringSubmatch(unit(t), -1) {
		all["systemd"][match[1]] = match[2]
	}
	require.NotEmpty(t, all["kubernetes"])
	require.NotEmpty(t, all["systemd"])
	return all
}

func unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(deployFolder + "systemd/parley.service")
	require.NoError(t, err)
	return string(text)
}

func TestWhatDeploysParleyHasSettingsThatItKnowsAndTakes(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
		known[v.Name+"_FILE"] = v.Secret
	}
	guide, err := os.ReadFile(deployFolder + "README.md")
	require.NoError(t, err)
	sample := map[string]string{
		"database-url": "postgres://parley:secret@postgres:5432/parley", "redis-url": "redis://:secret@redis:6379/0",
		"secret-key": strings.Repeat("s", 32), "jwt-secret": strings.Repeat("j", 32), "minio-access-key": "parley", "minio-secret-key": "secret-of-minio",
	}
	for way, settings := range deployed(t) {
		secrets := t.TempDir()
		environ := []string{"EMBEDDED=true"}
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			require.True(t, known[name], "%s: the program knows no %s", way, name)
			value := settings[name]
			if strings.HasSuffix(name, "_FILE") {
				file := path.Base(value)
				require.Contains(t, string(guide), file, "%s: the README does not say that %s is wanted", way, file)
				require.NotEmpty(t, sample[file], "%s: this test has no sample of %s", way, file)
				value = filepath.Join(secrets, file)
				require.NoError(t, os.WriteFile(value, []byte(sample[file]+"\n"), 0o600))
			}
			environ = append(environ, name+"="+value)
		}
		cfg, err := config.Load(environ)
		require.NoError(t, err, way)
		require.Equal(t, "production", cfg.AppEnv, way)
	}
}

func TestWhatDeploysParleyWaitsAsLongAsItsStopTakes(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load([]string{"APP_ENV=production", "EMBEDDED=true"})
	require.NoError(t, err)
	stop := cfg.StopDelay + cfg.StopTimeout + lastAnswers + cfg.StopTimeout // of calls, and of background tasks
	settings := deployed(t)["kubernetes"]
	require.Equal(t, cfg.StopDelay.String(), settings["SHUTDOWN_DELAY"])
	require.Equal(t, cfg.StopTimeout.String(), settings["SHUTDOWN_TIMEOUT"])
	pods := 0
	for _, m := range manifests(t) {
		pod := m.Spec.Template.Spec
		for _, c := range pod.Containers {
			pods++
			require.GreaterOrEqual(t, time.Duration(pod.TerminationGracePeriodSeconds)*time.Second, stop, m.Metadata.Name)
			if ready := c.ReadinessProbe; ready != nil {
				require.Less(t, time.Duration(ready.PeriodSeconds*ready.FailureThreshold)*time.Second, cfg.StopDelay, "%s gets calls for longer than it takes them", m.Metadata.Name)
			}
		}
	}
	require.Equal(t, 3, pods)
	compose, err := os.ReadFile("../../compose.yaml")
	require.NoError(t, err)
	for what, text := range map[string][]string{
		"compose": regexp.MustCompile(`(?s)\n  app:.*?stop_grace_period: (\w+)`).FindStringSubmatch(string(compose)),
		"systemd": regexp.MustCompile(`\nTimeoutStopSec=(\w+)`).FindStringSubmatch(unit(t) + "s"),
	} {
		require.Len(t, text, 2, what)
		given, err := time.ParseDuration(strings.TrimSuffix(text[1], "s") + "s")
		require.NoError(t, err)
		if what == "systemd" { // the database may be the embedded one
			given -= stopPatience
		}
		require.GreaterOrEqual(t, given, stop, what)
	}
}

func TestTheManifestsAskWhereTheProgramAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, "METRICS_ADDR=127.0.0.1:0")
	serves := map[string]string{"http": p.url, "operator": strings.TrimSuffix(p.metricsAddress(t), "/metrics")}
	settings := deployed(t)["kubernetes"]
	commands := newCommand("test", nil, io.Discard, io.Discard)
	for _, m := range manifests(t) {
		pod := m.Spec.Template.Spec
		for _, c := range pod.Containers {
			require.NotNil(t, commands.Command(c.Args[0]), "%s: the program has no command %v", m.Metadata.Name, c.Args)
			require.Equal(t, c.Args[0] == "worker", m.Metadata.Name == "parley-worker")
			ports := map[string]int{}
			for _, port := range c.Ports {
				ports[port.Name] = port.ContainerPort
				_, want, err := net.SplitHostPort(settings[map[string]string{"http": "HTTP_ADDR", "operator": "METRICS_ADDR"}[port.Name]])
				require.NoError(t, err)
				require.Equal(t, want, strconv.Itoa(port.ContainerPort), m.Metadata.Name)
			}
			for _, asked := range []*probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if asked == nil {
					require.Equal(t, "Job", m.Kind)
					continue
				}
				require.NotZero(t, ports[asked.HTTPGet.Port], m.Metadata.Name)
				res, err := http.Get(serves[asked.HTTPGet.Port] + asked.HTTPGet.Path)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http.StatusOK, res.StatusCode, asked.HTTPGet.Path)
			}
			require.Contains(t, c.VolumeMounts, struct{ MountPath string }{settings["DATA_DIR"]}, m.Metadata.Name)
			require.Contains(t, c.VolumeMounts, struct{ MountPath string }{path.Dir(settings["DATABASE_URL_FILE"])}, m.Metadata.Name)
		}
	}
}
