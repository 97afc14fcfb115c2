package operating

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/app"
	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/ops/secret"
)

// Keys of the tests below.
var (
	formerKey = strings.Repeat("former ", 5)[:34]
	nextKey   = strings.Repeat("next ", 7)[:34]
)

const sharedJWT = "JWT_SECRET=one JWT secret of all processes of a test"

// idOfKey is what operators read of a SECRET_KEY.
func idOfKey(t *testing.T, key string) string {
	t.Helper()
	m, err := secret.NewMaster(key)
	require.NoError(t, err)
	return m.ID().String()
}

// withKey adds a SECRET_KEY and SECRET_PREVIOUS_KEYS to settings.
func withKey(settings []string, key string, previous ...string) []string {
	all := append([]string{sharedJWT, "SECRET_KEY=" + key}, settings...)
	if len(previous) > 0 {
		all = append(all, "SECRET_PREVIOUS_KEYS="+strings.Join(previous, ","))
	}
	return all
}

// requireAllKinds wants each kind of what is sealed to be there.
func requireAllKinds(t *testing.T, lines []map[string]any) {
	t.Helper()
	for _, kind := range []string{"model_keys", "endpoint_secrets", "subscription_secrets", "emails", "answers", "audit_heads"} {
		require.Contains(t, column(lines, "kind"), kind)
	}
}

func TestAKeyIsChangedBesideRunningServersAndNothingIsLost(t *testing.T) {
	t.Parallel()
	settings := append([]string{"WORKERS=0", "UPKEEP_INTERVAL=100ms", "AUDIT_ANCHOR=" + t.TempDir()}, harness.FastJobs...)
	old := harness.Start(t, withKey(settings, formerKey, nextKey)...)
	ada := old.Register(t).KeepSecrets(t)
	ada.Verified(t)
	require.Equal(t, app.ExitOK, harness.Tooled(t, old.Settings, "jobs", "cancel", "--workspace", ada.Workspace, "--job", ada.Get(t, "/v1/jobs?kind=mail.send").Items()[0]["id"].(string)))
	requireAllKinds(t, harness.Operate(t, old.Settings, "secret", "status"))

	next := harness.StartOn(t, old.Database, withKey(settings, nextKey, formerKey)...)
	bob := next.Register(t).KeepSecrets(t)
	bob.Verified(t)
	for _, k := range []*harness.KeptSecret{ada, bob, ada.On(next), bob.On(old)} { // the old process beside the new one
		k.Endpoint.Says(t, "before", "Hi")
		require.Equal(t, k.Invited.Raw, k.Post(t, "/v1/invitations", bodyOf(k), k.Op).Raw, "a call that is sent again under another key is not the same")
		require.Equal(t, http.StatusOK, k.Get(t, "/v1/bots?limit=1&cursor="+k.Cursor).Status, "a cursor of another key")
		require.Equal(t, true, k.Verified(t).At("intact"), "a log that two keys have sealed")
	}

	done, resealed := rotated(t, next.Settings)
	require.Equal(t, true, done["complete"], done)
	require.Zero(t, done["left"], done)
	require.Zero(t, done["unknown"], done)
	// Heads and anchors are signed anew by whichever process has sealed last, so that none may be left.
	for _, kind := range []string{"model_keys", "endpoint_secrets", "subscription_secrets", "emails", "answers", "retired_keys"} {
		require.NotZero(t, resealed[kind], kind)
	}
	for _, k := range []*harness.KeptSecret{ada, bob.On(old)} {
		k.Endpoint.Says(t, "after", "Hi")
		require.Equal(t, true, k.Verified(t).At("intact"))
	}
	require.Contains(t, refused(t, app.ExitFailed, withKey([]string{"DATABASE_URL=" + old.Database, "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}, formerKey), "serve"),
		"SECRET_KEY: should be the key")

	ada.Subscribe(t, ada.Target.URL, "turn.failed") // the old process goes on to seal with its key
	status := harness.Operate(t, next.Settings, "secret", "status")
	require.Contains(t, column(status, "state"), "former", "what the old process has sealed since")
	_, out, _ := harness.Tool(t, next.Settings, "check")
	require.Regexp(t, `(?m)^\[OK\] secret key: .*SECRET_PREVIOUS_KEYS.*parley secret rotate`, out)
	require.Equal(t, app.ExitOK, old.Stop())
	done = harness.Operate(t, next.Settings, "secret", "rotate")[0]
	require.Equal(t, true, done["complete"], done)
	require.Equal(t, app.ExitOK, next.Stop())

	alone := harness.StartOn(t, old.Database, withKey(append(settings, "WORKERS=4"), nextKey)...)
	status = harness.Operate(t, alone.Settings, "secret", "status")
	requireAllKinds(t, status)
	for _, line := range status {
		require.Equal(t, "current", line["state"], line)
	}
	for _, k := range []*harness.KeptSecret{ada.On(alone), bob.On(alone)} {
		k.Endpoint.Says(t, "alone", "Hi")
		require.Equal(t, k.Invited.Raw, k.Post(t, "/v1/invitations", bodyOf(k), k.Op).Raw, "a call that is sent again when the former key is gone")
		verified := k.Verified(t)
		require.Equal(t, true, verified.At("intact"), verified)
		require.Nil(t, verified.At("broken_seal"))
		require.Empty(t, verified.At("unknown_keys"))
		k.AnchoredAs(t, "agrees")
		require.Equal(t, http.StatusOK, k.Put(t, "/v1/bots/"+k.Bot+"/instruction", map[string]any{"instruction": "Be kind."}).Status)
		k.Target.WaitFor(t, 1)
	}
	require.Len(t, harness.Operate(t, alone.Settings, "dead-letters", "retry"), 1)
	require.Eventually(t, func() bool {
		return alone.Number(t, `SELECT count(*) FROM job_queue WHERE kind = 'mail.send' AND status = 'done'`) == 2
	}, harness.Timeout, harness.Tick, "an email cannot be opened")
	require.Equal(t, 1, alone.Number(t, `SELECT count(*) FROM audit_log WHERE action = 'secret.rotated' AND user_agent = 'operator'`))
	_, out, _ = harness.Tool(t, alone.Settings, "audit", "verify", "--all")
	require.NotContains(t, out, "NOT INTACT")
}

// rotated runs parley secret rotate until nothing is left, which is more than once where a server that has the former key seals
// meanwhile. It returns the last report, and how much all runs have sealed anew of each kind.
func rotated(t *testing.T, environ []string) (done map[string]any, resealed map[string]float64) {
	t.Helper()
	resealed = map[string]float64{}
	require.Eventually(t, func() bool {
		code, stdout, stderr := harness.Tool(t, environ, "secret", "rotate", "--json")
		lines := harness.JSONLines(t, stdout)
		require.Len(t, lines, 1, stderr)
		done = lines[0]
		for kind, n := range done["resealed"].(map[string]any) {
			resealed[kind] += n.(float64)
		}
		return code == app.ExitOK
	}, harness.Timeout, harness.Tick)
	return done, resealed
}

// bodyOf is the request that made the answer of k.op.
func bodyOf(k *harness.KeptSecret) map[string]any {
	return map[string]any{"email": k.Invited.Text("email"), "role": "viewer"}
}

func TestARotationThatIsKilledGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	binary, err := harness.BuiltProgram()
	require.NoError(t, err)
	p := harness.Start(t, withKey(append([]string{"WORKERS=0", "UPKEEP_INTERVAL=1h"}, harness.FastJobs...), formerKey)...)
	callers := []*harness.Caller{p.Register(t), p.Register(t), p.Register(t)}
	for _, c := range callers {
		c.KeepSecrets(t)
	}
	require.Equal(t, app.ExitOK, p.Stop())
	environ := withKey([]string{"DATABASE_URL=" + p.Database, "DATA_DIR=" + t.TempDir()}, nextKey, formerKey)

	last := max(callers[0].Workspace, callers[1].Workspace, callers[2].Workspace)
	conn := p.Super(t)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM webhook_endpoints WHERE workspace_id = $1 FOR UPDATE`, last)
	require.NoError(t, err)
	killed := harness.Spawn(t, binary, environ, "secret", "rotate")
	sealed := `SELECT count(*) FROM webhook_endpoints, jsonb_array_elements(secrets) k WHERE get_byte(decode(left(k ->> 'sealed', 12), 'base64'), 1) = get_byte(decode('` +
		idOfKey(t, nextKey) + `', 'hex'), 0)`
	require.Eventually(t, func() bool { return p.Number(t, sealed) == 2 }, harness.Timeout, harness.Tick)
	require.NoError(t, killed.Cmd.Process.Kill())
	killed.Wait(t)
	require.NoError(t, tx.Rollback(t.Context()))

	half := harness.Operate(t, environ, "secret", "status")
	require.Contains(t, column(half, "state"), "current")
	require.Contains(t, column(half, "state"), "former")
	require.Contains(t, refused(t, app.ExitFailed, withKey([]string{"DATABASE_URL=" + p.Database, "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}, nextKey), "serve"),
		idOfKey(t, formerKey), "a process without the former key starts on what is half done")
	done := harness.Operate(t, environ, "secret", "rotate")[0]
	require.Equal(t, true, done["complete"], done)
	require.InDelta(t, 1, done["resealed"].(map[string]any)["endpoint_secrets"], 0, "what was done is done again")
	again := harness.Operate(t, environ, "secret", "rotate")[0]
	require.Equal(t, true, again["complete"])
	require.Zero(t, again["workspaces"], again)
	for _, line := range harness.Operate(t, environ, "secret", "status") {
		require.Equal(t, "current", line["state"], line)
	}
}

func TestAnEncryptionKeyIsChangedTheSameWay(t *testing.T) {
	t.Parallel()
	own, another := strings.Repeat("own ", 8), strings.Repeat("another ", 4)
	p := harness.Start(t, withKey([]string{"WORKERS=0"}, formerKey)...)
	ada := p.Register(t)
	require.Equal(t, http.StatusOK, ada.Put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}).Status)
	require.Equal(t, app.ExitOK, p.Stop())
	key := func(of string) string {
		for _, line := range harness.Operate(t, withKey([]string{"DATABASE_URL=" + p.Database, "DATA_DIR=" + t.TempDir()}, formerKey), "secret", "status") {
			if line["kind"] == "model_keys" {
				return line["key"].(string)
			}
		}
		return of
	}
	for _, step := range [][]string{
		append(withKey(nil, formerKey), "ENCRYPTION_KEY="+own),              // it is given one
		append(withKey(nil, formerKey, own), "ENCRYPTION_KEY="+another),     // another
		append(withKey(nil, nextKey, formerKey), "ENCRYPTION_KEY="+another), // the SECRET_KEY beside it
		withKey(nil, nextKey, another),                                      // and none again
	} {
		environ := append([]string{"DATABASE_URL=" + p.Database, "DATA_DIR=" + t.TempDir()}, step...)
		done := harness.Operate(t, environ, "secret", "rotate")[0]
		require.Equal(t, true, done["complete"], done)
	}
	require.Equal(t, idOfKey(t, nextKey), key("nothing"))
}

func TestAKeyThatIsNotKnownIsNamed(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, withKey(append([]string{"WORKERS=0", "UPKEEP_INTERVAL=100ms"}, harness.FastJobs...), formerKey)...)
	ada := p.Register(t).KeepSecrets(t)
	ada.Verified(t)
	require.Equal(t, app.ExitOK, p.Stop())
	environ := withKey([]string{"DATABASE_URL=" + p.Database, "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}, nextKey)
	last := refused(t, app.ExitFailed, environ, "serve")
	require.Contains(t, last, idOfKey(t, formerKey))
	require.Contains(t, last, "SECRET_PREVIOUS_KEYS")
	require.Contains(t, refused(t, app.ExitFailed, environ, "secret", "rotate"), idOfKey(t, formerKey))
	require.Equal(t, app.ExitOK, harness.Tooled(t, environ, "secret", "adopt", "--yes"))

	code, out, _ := harness.Tool(t, environ, "check")
	require.Equal(t, app.ExitFailed, code)
	require.Regexp(t, `(?m)^\[FAIL\] secret key: .*`+idOfKey(t, formerKey)+`.*SECRET_PREVIOUS_KEYS`, out)
	done := harness.Operate(t, environ, "secret", "rotate")[0]
	require.NotZero(t, done["unknown"], done)
	other := harness.StartOn(t, p.Database, environ...)
	moved := ada.On(other)
	a := moved.Endpoint.Send(t, "msg_1", harness.InboundMessage("c", "Hi"))
	require.Equal(t, http.StatusInternalServerError, a.Status, a)
	require.Contains(t, other.Log.String(), "sealed with another one: "+idOfKey(t, formerKey)+", which is neither SECRET_KEY nor one of SECRET_PREVIOUS_KEYS")
	_, out, _ = harness.Tool(t, other.Settings, "audit", "verify", "--workspace", ada.Workspace)
	require.Contains(t, out, "keys that are not known ("+idOfKey(t, formerKey)+")")
	require.NotContains(t, out, "does not fit")
}

func TestPreviousKeysAreCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(file, []byte("too short, and a secret\n"), 0o600))
	for name, set := range map[string]string{"short": "SECRET_PREVIOUS_KEYS=hunter2", "one of two": "SECRET_PREVIOUS_KEYS=" + formerKey + ",hunter2", "in a file": "SECRET_PREVIOUS_KEYS_FILE=" + file} {
		code, _, stderr := harness.Tool(t, []string{set}, "check")
		require.Equal(t, app.ExitUsage, code, name)
		require.Equal(t, []string{"parley: SECRET_PREVIOUS_KEYS: should be up to 8 keys of at least 32 bytes each, separated by commas"}, harness.Problems(stderr), name)
	}
}
