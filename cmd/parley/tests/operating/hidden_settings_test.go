package operating

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/config"
)

// secretSettings gives a value to every setting that is secret, and the parts of these values that nobody may see. Where
// a setting is a URL it leads to address, where nobody listens.
func secretSettings(t *testing.T, address string) (environ []string, hidden map[string]string) {
	t.Helper()
	hidden = map[string]string{}
	for field := range reflect.TypeFor[config.Config]().Fields() {
		if field.Tag.Get("secret") != "true" {
			continue
		}
		name := field.Tag.Get("env")
		secret := "hidden-" + strings.ToLower(strings.ReplaceAll(name, "_", "-")) + "-0123456789abcdef"
		hidden[name] = secret
		value := secret
		if scheme, _, ok := strings.Cut(field.Tag.Get("want"), "://"); ok {
			value = scheme + "://ada:" + secret + "@" + address + "/1"
		}
		switch name {
		case "SENTRY_DSN":
			value = "http://" + secret + "@" + address + "/1"
		case "SMTP_URL":
			value = strings.TrimSuffix(value, "/1")
		case "JWT_PREVIOUS_SECRETS":
			value = secret + "," + secret + "-2"
		case "OIDC_PROVIDERS":
			value = `[{"id":"corp","issuer":"http://` + address + `","client_id":"parley","client_secret":"` + secret + `"}]`
		}
		environ = append(environ, name+"="+value)
	}
	require.Greater(t, len(hidden), 10)
	return environ, hidden
}

func requireHidden(t *testing.T, hidden map[string]string, shown, where string) {
	t.Helper()
	for name, secret := range hidden {
		for _, text := range []string{secret, url.QueryEscape(secret), secret[7:]} {
			require.Zero(t, strings.Count(shown, text), "%s is shown by %s", name, where)
		}
	}
}

func TestEverySettingThatSoundsSecretIsMarkedSo(t *testing.T) {
	t.Parallel()
	sounds := regexp.MustCompile(`PASSWORD|SECRET|_KEY$|TOKEN$|DSN|^DATABASE.*_URL$|^REDIS_URL$|^SMTP_URL$`)
	for field := range reflect.TypeFor[config.Config]().Fields() {
		if name := field.Tag.Get("env"); sounds.MatchString(name) {
			require.Equal(t, "true", field.Tag.Get("secret"), name)
		}
	}
}

func TestNoCommandShowsASecretSettingThatItFailsWith(t *testing.T) {
	t.Parallel()
	nobody := harness.FreeAddress(t)
	environ, hidden := secretSettings(t, nobody)
	environ = append(environ, "DATA_DIR="+t.TempDir(), "HTTP_ADDR=127.0.0.1:0", "LOG_LEVEL=debug",
		"QDRANT_URL=http://"+nobody, "CLICKHOUSE_HOST="+nobody, "MINIO_ENDPOINT=http://"+nobody,
		"EMBEDDING_BASE_URL=http://"+nobody, "EMBEDDING_MODEL=m", "RERANK_BASE_URL=http://"+nobody, "RERANK_MODEL=m")
	for _, args := range [][]string{{"check"}, {"init"}, {"migrate", "status"}, {"migrate", "up"}, {"serve"}, {"worker"}} {
		code, stdout, stderr := harness.Tool(t, environ, args...)
		require.Equal(t, app.ExitFailed, code, "%s: %s%s", args, stdout, stderr)
		requireHidden(t, hidden, stdout+stderr, strings.Join(args, " "))
	}

	for i, setting := range environ { // and none that is wrong
		name, value, _ := strings.Cut(setting, "=")
		if hidden[name] == "" {
			continue
		}
		wrong := append(environ[:i:i], name+"= "+strings.Replace(value, "://", ":/ /", 1)+" \x01")
		code, stdout, stderr := harness.Tool(t, append(wrong, environ[i+1:]...), "check")
		require.NotEqual(t, app.ExitOK, code, name)
		requireHidden(t, hidden, stdout+stderr, name)
	}
}

func TestAProgramThatServesLogsNoSecretSetting(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // as servers do that repeat a wrong key
		http.Error(w, `{"error":{"message":"wrong key: `+r.Header.Get("Authorization")+`"}}`, http.StatusUnauthorized)
	}))
	t.Cleanup(echo.Close)
	nobody := harness.FreeAddress(t)
	environ, hidden := secretSettings(t, nobody)
	for i, setting := range environ {
		if strings.HasPrefix(setting, "DATABASE_") {
			environ[i] = "IGNORED="
		}
	}
	p := harness.Start(t, append(environ, "LOG_LEVEL=debug", "QDRANT_URL=http://"+nobody, "CLICKHOUSE_HOST="+nobody, "MINIO_ENDPOINT=http://"+nobody,
		"OPENAI_BASE_URL="+echo.URL, "MODEL_DEFAULT=openai/gpt-x", "MODEL_ALLOW=openai/*", "EMBEDDING_BASE_URL="+echo.URL, "EMBEDDING_MODEL=m", "RERANK_BASE_URL="+echo.URL, "RERANK_MODEL=m")...)
	ada := p.Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind."}).Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).Text("id")
	turn := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "Hello?"})
	require.GreaterOrEqual(t, turn.Status, 400)
	requireHidden(t, hidden, string(turn.Raw), "the answer of a turn")
	document := ada.AddText(t, ada.NewBase(t, map[string]any{"embedding_model": "m"}), "Kettle", "It boils.")
	failed := ada.WaitUntil(t, document, "status", "failed")
	require.Equal(t, "EMBEDDING_FAILED", failed.At("error.code"))
	requireHidden(t, hidden, string(failed.Raw), "the error of a document")
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/invitations", map[string]any{"email": "grace@example.com", "role": "editor"}).Status)
	ready := p.Anonymous().Get(t, "/readyz")
	requireHidden(t, hidden, string(ready.Raw), "readyz")
	require.Eventually(t, func() bool {
		return strings.Contains(p.Log.String(), "smtp") || strings.Contains(p.Log.String(), "mail")
	}, harness.Timeout, harness.Tick)
	require.Equal(t, app.ExitOK, p.Stop())
	requireHidden(t, hidden, p.Log.String(), "the log")
}
