package app_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/config"
)

func TestWhatDeploysParleyWaitsAsLongAsItsStopTakes(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load([]string{"APP_ENV=production", "EMBEDDED=true", "SIGN_UP=open"})
	require.NoError(t, err)
	stop := cfg.StopDelay + cfg.StopTimeout + app.LastAnswers + cfg.StopTimeout // of calls, and of background tasks
	settings := harness.Deployed(t)["kubernetes"]
	require.Equal(t, cfg.StopDelay.String(), settings["SHUTDOWN_DELAY"])
	require.Equal(t, cfg.StopTimeout.String(), settings["SHUTDOWN_TIMEOUT"])
	pods := 0
	for _, m := range harness.Manifests(t) {
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
	compose, err := os.ReadFile("../../../compose.yaml")
	require.NoError(t, err)
	for what, text := range map[string][]string{
		"compose": regexp.MustCompile(`(?s)\n  app:.*?stop_grace_period: (\w+)`).FindStringSubmatch(string(compose)),
		"systemd": regexp.MustCompile(`\nTimeoutStopSec=(\w+)`).FindStringSubmatch(harness.Unit(t) + "s"),
	} {
		require.Len(t, text, 2, what)
		given, err := time.ParseDuration(strings.TrimSuffix(text[1], "s") + "s")
		require.NoError(t, err)
		if what == "systemd" { // the database may be the embedded one
			given -= app.StopTimeout
		}
		require.GreaterOrEqual(t, given, stop, what)
	}
}

func TestTheManifestsAskWhereTheProgramAnswers(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "METRICS_ADDR=127.0.0.1:0")
	serves := map[string]string{"http": p.URL, "operator": strings.TrimSuffix(p.MetricsAddress(t), "/metrics")}
	settings := harness.Deployed(t)["kubernetes"]
	commands := app.NewCommand("test", nil, io.Discard, io.Discard)
	for _, m := range harness.Manifests(t) {
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
			for _, asked := range []*harness.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
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
