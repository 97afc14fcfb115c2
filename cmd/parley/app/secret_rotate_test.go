package app

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/secret"
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

// keptSecret is what a workspace has under a SECRET_KEY: something of every kind.
type keptSecret struct {
	*caller
	endpoint endpoint
	sub      subscription
	target   *receiver
	op       header
	invited  answer // under op, with the token
	cursor   string
	bot      string
}

func (c *caller) keepSecrets(t *testing.T) *keptSecret {
	t.Helper()
	k := &keptSecret{caller: c, bot: c.newBot(t), target: newReceiver(t), op: operation(uuid.NewString())}
	c.newBot(t)
	k.endpoint = c.newEndpoint(t, k.bot)
	k.sub = c.subscribe(t, k.target.URL, "bot.updated")
	require.Equal(t, http.StatusOK, c.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}).Status)
	k.invited = c.post(t, "/v1/invitations", map[string]any{"email": uuid.NewString() + "@example.com", "role": "viewer"}, k.op)
	require.Equal(t, http.StatusCreated, k.invited.Status, k.invited)
	k.cursor = c.get(t, "/v1/bots?limit=1").text("next_cursor")
	require.NotEmpty(t, k.cursor)
	return k
}

// on is the same workspace, asked by way of another process.
func (k *keptSecret) on(p *program) *keptSecret {
	moved := *k
	who := *k.caller
	who.program = p
	moved.caller, moved.endpoint.program = &who, p
	return &moved
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
	settings := append([]string{"WORKERS=0", "UPKEEP_INTERVAL=100ms", "AUDIT_ANCHOR=" + t.TempDir()}, fastJobs...)
	old := start(t, withKey(settings, formerKey, nextKey)...)
	ada := old.register(t).keepSecrets(t)
	ada.verified(t)
	require.Equal(t, ExitOK, tooled(t, old.settings, "jobs", "cancel", "--workspace", ada.workspace, "--job", ada.get(t, "/v1/jobs?kind=mail.send").items()[0]["id"].(string)))
	requireAllKinds(t, operate(t, old.settings, "secret", "status"))

	next := startOn(t, old.database, withKey(settings, nextKey, formerKey)...)
	bob := next.register(t).keepSecrets(t)
	bob.verified(t)
	for _, k := range []*keptSecret{ada, bob, ada.on(next), bob.on(old)} { // the old process beside the new one
		k.endpoint.says(t, "before", "Hi")
		require.Equal(t, k.invited.Raw, k.post(t, "/v1/invitations", bodyOf(k), k.op).Raw, "a call that is sent again under another key is not the same")
		require.Equal(t, http.StatusOK, k.get(t, "/v1/bots?limit=1&cursor="+k.cursor).Status, "a cursor of another key")
		require.Equal(t, true, k.verified(t).at("intact"), "a log that two keys have sealed")
	}

	done := operate(t, next.settings, "secret", "rotate")[0]
	require.Equal(t, true, done["complete"], done)
	require.Zero(t, done["left"], done)
	require.Zero(t, done["unknown"], done)
	for _, kind := range []string{"model_keys", "endpoint_secrets", "subscription_secrets", "emails", "answers", "audit_heads", "audit_anchors", "retired_keys"} {
		require.NotZero(t, done["resealed"].(map[string]any)[kind], kind)
	}
	for _, k := range []*keptSecret{ada, bob.on(old)} {
		k.endpoint.says(t, "after", "Hi")
		require.Equal(t, true, k.verified(t).at("intact"))
	}
	require.Contains(t, refused(t, ExitFailed, withKey([]string{"DATABASE_URL=" + old.database, "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}, formerKey), "serve"),
		"SECRET_KEY: should be the key")

	ada.subscribe(t, ada.target.URL, "turn.failed") // the old process goes on to seal with its key
	status := operate(t, next.settings, "secret", "status")
	require.Contains(t, column(status, "state"), "former", "what the old process has sealed since")
	_, out, _ := tool(t, next.settings, "check")
	require.Regexp(t, `(?m)^\[OK\] secret key: .*SECRET_PREVIOUS_KEYS.*parley secret rotate`, out)
	require.Equal(t, ExitOK, old.stop())
	done = operate(t, next.settings, "secret", "rotate")[0]
	require.Equal(t, true, done["complete"], done)
	require.Equal(t, ExitOK, next.stop())

	alone := startOn(t, old.database, withKey(append(settings, "WORKERS=4"), nextKey)...)
	status = operate(t, alone.settings, "secret", "status")
	requireAllKinds(t, status)
	for _, line := range status {
		require.Equal(t, "current", line["state"], line)
	}
	for _, k := range []*keptSecret{ada.on(alone), bob.on(alone)} {
		k.endpoint.says(t, "alone", "Hi")
		require.Equal(t, k.invited.Raw, k.post(t, "/v1/invitations", bodyOf(k), k.op).Raw, "a call that is sent again when the former key is gone")
		verified := k.verified(t)
		require.Equal(t, true, verified.at("intact"), verified)
		require.Nil(t, verified.at("broken_seal"))
		require.Empty(t, verified.at("unknown_keys"))
		k.anchoredAs(t, "agrees")
		require.Equal(t, http.StatusOK, k.put(t, "/v1/bots/"+k.bot+"/instruction", map[string]any{"instruction": "Be kind."}).Status)
		k.target.waitFor(t, 1)
	}
	require.Len(t, operate(t, alone.settings, "dead-letters", "retry"), 1)
	require.Eventually(t, func() bool {
		return alone.number(t, `SELECT count(*) FROM job_queue WHERE kind = 'mail.send' AND status = 'done'`) == 2
	}, patience, tick, "an email cannot be opened")
	require.Equal(t, 1, alone.number(t, `SELECT count(*) FROM audit_log WHERE action = 'secret.rotated' AND user_agent = 'operator'`))
	_, out, _ = tool(t, alone.settings, "audit", "verify", "--all")
	require.NotContains(t, out, "NOT INTACT")
}

// bodyOf is the request that made the answer of k.op.
func bodyOf(k *keptSecret) map[string]any {
	return map[string]any{"email": k.invited.text("email"), "role": "viewer"}
}

func tooled(t *testing.T, environ []string, args ...string) int {
	t.Helper()
	code, stdout, stderr := tool(t, environ, args...)
	require.Equal(t, ExitOK, code, stdout+stderr)
	return code
}

func TestARotationThatIsKilledGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	binary, err := builtProgram()
	require.NoError(t, err)
	p := start(t, withKey(append([]string{"WORKERS=0", "UPKEEP_INTERVAL=1h"}, fastJobs...), formerKey)...)
	callers := []*caller{p.register(t), p.register(t), p.register(t)}
	for _, c := range callers {
		c.keepSecrets(t)
	}
	require.Equal(t, ExitOK, p.stop())
	environ := withKey([]string{"DATABASE_URL=" + p.database, "DATA_DIR=" + t.TempDir()}, nextKey, formerKey)

	last := max(callers[0].workspace, callers[1].workspace, callers[2].workspace)
	conn := p.super(t)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM webhook_endpoints WHERE workspace_id = $1 FOR UPDATE`, last)
	require.NoError(t, err)
	killed := spawn(t, binary, environ, "secret", "rotate")
	sealed := `SELECT count(*) FROM webhook_endpoints, jsonb_array_elements(secrets) k WHERE get_byte(decode(left(k ->> 'sealed', 12), 'base64'), 1) = get_byte(decode('` +
		idOfKey(t, nextKey) + `', 'hex'), 0)`
	require.Eventually(t, func() bool { return p.number(t, sealed) == 2 }, patience, tick)
	require.NoError(t, killed.cmd.Process.Kill())
	killed.wait(t)
	require.NoError(t, tx.Rollback(t.Context()))

	half := operate(t, environ, "secret", "status")
	require.Contains(t, column(half, "state"), "current")
	require.Contains(t, column(half, "state"), "former")
	require.Contains(t, refused(t, ExitFailed, withKey([]string{"DATABASE_URL=" + p.database, "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}, nextKey), "serve"),
		idOfKey(t, formerKey), "a process without the former key starts on what is half done")
	done := operate(t, environ, "secret", "rotate")[0]
	require.Equal(t, true, done["complete"], done)
	require.InDelta(t, 1, done["resealed"].(map[string]any)["endpoint_secrets"], 0, "what was done is done again")
	again := operate(t, environ, "secret", "rotate")[0]
	require.Equal(t, true, again["complete"])
	require.Zero(t, again["workspaces"], again)
	for _, line := range operate(t, environ, "secret", "status") {
		require.Equal(t, "current", line["state"], line)
	}
}

func TestAnEncryptionKeyIsChangedTheSameWay(t *testing.T) {
	t.Parallel()
	own, another := strings.Repeat("own ", 8), strings.Repeat("another ", 4)
	p := start(t, withKey([]string{"WORKERS=0"}, formerKey)...)
	ada := p.register(t)
	require.Equal(t, http.StatusOK, ada.put(t, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}).Status)
	require.Equal(t, ExitOK, p.stop())
	key := func(of string) string {
		for _, line := range operate(t, withKey([]string{"DATABASE_URL=" + p.database, "DATA_DIR=" + t.TempDir()}, formerKey), "secret", "status") {
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
		environ := append([]string{"DATABASE_URL=" + p.database, "DATA_DIR=" + t.TempDir()}, step...)
		done := operate(t, environ, "secret", "rotate")[0]
		require.Equal(t, true, done["complete"], done)
	}
	require.Equal(t, idOfKey(t, nextKey), key("nothing"))
}

func TestAKeyThatIsNotKnownIsNamed(t *testing.T) {
	t.Parallel()
	p := start(t, withKey(append([]string{"WORKERS=0", "UPKEEP_INTERVAL=100ms"}, fastJobs...), formerKey)...)
	ada := p.register(t).keepSecrets(t)
	ada.verified(t)
	require.Equal(t, ExitOK, p.stop())
	environ := withKey([]string{"DATABASE_URL=" + p.database, "DATA_DIR=" + t.TempDir(), "HTTP_ADDR=127.0.0.1:0"}, nextKey)
	last := refused(t, ExitFailed, environ, "serve")
	require.Contains(t, last, idOfKey(t, formerKey))
	require.Contains(t, last, "SECRET_PREVIOUS_KEYS")
	require.Contains(t, refused(t, ExitFailed, environ, "secret", "rotate"), idOfKey(t, formerKey))
	require.Equal(t, ExitOK, tooled(t, environ, "secret", "adopt", "--yes"))

	code, out, _ := tool(t, environ, "check")
	require.Equal(t, ExitFailed, code)
	require.Regexp(t, `(?m)^\[FAIL\] secret key: .*`+idOfKey(t, formerKey)+`.*SECRET_PREVIOUS_KEYS`, out)
	done := operate(t, environ, "secret", "rotate")[0]
	require.NotZero(t, done["unknown"], done)
	other := startOn(t, p.database, environ...)
	moved := ada.on(other)
	a := moved.endpoint.send(t, "msg_1", said("c", "Hi"))
	require.Equal(t, http.StatusInternalServerError, a.Status, a)
	require.Contains(t, other.log.String(), "sealed with another one: "+idOfKey(t, formerKey)+", which is neither SECRET_KEY nor one of SECRET_PREVIOUS_KEYS")
	_, out, _ = tool(t, other.settings, "audit", "verify", "--workspace", ada.workspace)
	require.Contains(t, out, "keys that are not known ("+idOfKey(t, formerKey)+")")
	require.NotContains(t, out, "does not fit")
}

func TestPreviousKeysAreCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(file, []byte("too short, and a secret\n"), 0o600))
	for name, set := range map[string]string{"short": "SECRET_PREVIOUS_KEYS=hunter2", "one of two": "SECRET_PREVIOUS_KEYS=" + formerKey + ",hunter2", "in a file": "SECRET_PREVIOUS_KEYS_FILE=" + file} {
		code, _, stderr := tool(t, []string{set}, "check")
		require.Equal(t, ExitUsage, code, name)
		require.Equal(t, []string{"parley: SECRET_PREVIOUS_KEYS: should be up to 8 keys of at least 32 bytes each, separated by commas"}, problems(stderr), name)
	}
}
