package knowledge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
	"github.com/parley/parley/platform/ops/usage"
)

const ownKey = "/v1/model-keys/embedding"

// own are the settings with which servers of workspaces may be on this machine, and the operator's model has a price.
var own = []string{"WEBHOOK_ALLOW_PRIVATE=true", `MODEL_PRICES={"embedding/` + embeddingtest.Model + `": {"input": 1000000}}`}

// ownModel is a body that sets a workspace's own model.
func ownModel(fake *embeddingtest.Server, model string, more ...any) map[string]any {
	body := map[string]any{"api_key": "sk-own-embedding-9876", "base_url": fake.BaseURL(), "model": model}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

// foundByVector waits until a search by vectors finds a document first, with all vectors there.
func foundByVector(t *testing.T, c *harness.Caller, base, query, title string) {
	t.Helper()
	require.Eventually(t, func() bool {
		found := c.Find(t, base, query, mode("vector"))
		titles := harness.Titles(found)
		return found.At("degraded") == false && len(titles) > 0 && titles[0] == title
	}, 30*time.Second, 20*time.Millisecond)
}

func TestU6AWorkspaceHasAnEmbeddingModelOfItsOwn(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, operators *embeddingtest.Server) {
		t.Helper()
		ada, eve, theirs := p.Register(t), p.Register(t), embeddingtest.New(t)
		base := ada.NewBase(t, model(embeddingtest.Model))
		kettle := ada.Indexed(t, base, "Kettle", "Fill the kettle with fresh water")
		foundByVector(t, ada, base, "fresh water", "Kettle")
		asked, paid := len(operators.Calls()), ada.Used(t, usage.Cost)["used"]
		require.NotZero(t, paid)

		op := harness.Operation("11111111-1111-4111-8111-111111111111")
		a := ada.Put(t, ownKey, ownModel(theirs, embeddingtest.Model, "dimensions", 48), op)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, []any{embeddingtest.Model, theirs.BaseURL(), 48.0, "9876"}, []any{a.At("model"), a.At("base_url"), a.At("dimensions"), a.At("last_four")})
		require.Equal(t, a.Raw, ada.Put(t, ownKey, ownModel(theirs, embeddingtest.Model, "dimensions", 48), op).Raw, "sent again")
		require.Equal(t, a.Raw, ada.Get(t, ownKey).Raw)
		ada.WaitUntil(t, kettle, "status", "ready")
		foundByVector(t, ada, base, "fresh water", "Kettle")
		require.Len(t, operators.Calls(), asked, "the operator's server is not asked any more")
		require.Equal(t, paid, ada.Used(t, usage.Cost)["used"], "the operator pays nothing")
		require.Equal(t, "Bearer sk-own-embedding-9876", theirs.Calls()[0].Header.Get("Authorization"))
		require.Equal(t, 48, *theirs.Calls()[0].Dimensions)
		require.NotEmpty(t, ada.Find(t, base, "fresh water", mode("vector")).Items()[0]["cosine"])

		// Another workspace has none of it: its bases of the same name are the operator's.
		harness.RequireCode(t, eve.Get(t, ownKey), http.StatusNotFound, "NOT_FOUND")
		evil := eve.NewBase(t, model(embeddingtest.Model))
		sent := theirs.Texts()
		eve.Indexed(t, evil, "Eve's", "Fill the kettle with fresh water")
		foundByVector(t, eve, evil, "fresh water", "Eve's")
		require.Equal(t, sent, theirs.Texts())
		harness.RequireCode(t, eve.Delete(t, ownKey), http.StatusNotFound, "NOT_FOUND")

		// Another key of the same server changes no vectors.
		sent = theirs.Texts()
		require.Equal(t, http.StatusOK, ada.Put(t, ownKey, ownModel(theirs, embeddingtest.Model, "dimensions", 48, "api_key", "sk-another-key-1234")).Status)
		foundByVector(t, ada, base, "fresh water", "Kettle")
		require.Equal(t, "Bearer sk-another-key-1234", theirs.Calls()[len(theirs.Calls())-1].Header.Get("Authorization"), "it is read when it is used")
		for _, call := range theirs.Calls()[1:] {
			require.NotContains(t, strings.Join(call.Input, " "), "Fill", "the passage was sent once")
		}
		require.Greater(t, theirs.Texts(), sent)

		// Without it the operator's model of the same name serves again, with the vectors that it has made before.
		require.Equal(t, http.StatusNoContent, ada.Delete(t, ownKey).Status)
		harness.RequireCode(t, ada.Get(t, ownKey), http.StatusNotFound, "NOT_FOUND")
		sent = theirs.Texts()
		foundByVector(t, ada, base, "fresh water", "Kettle")
		require.Equal(t, sent, theirs.Texts())
		for _, text := range []string{ada.Get(t, "/v1/audit-log?limit=100").String(), p.Log.String()} {
			require.NotContains(t, text, "sk-own-embedding")
		}
		require.Contains(t, ada.Get(t, "/v1/audit-log?limit=100").String(), "embedding_key.put")
	}, own...)
}

func TestU6WithoutItsModelABaseIsSearchedByWords(t *testing.T) {
	t.Parallel()
	embedded(t, func(t *testing.T, p *harness.Program, _ *embeddingtest.Server) {
		t.Helper()
		ada, theirs := p.Register(t), embeddingtest.New(t)
		require.Equal(t, http.StatusOK, ada.Put(t, ownKey, ownModel(theirs, "fake-mine")).Status)
		base := ada.NewBase(t, model("fake-mine"))
		kettle := ada.Indexed(t, base, "Kettle", "Fill the kettle with fresh water")
		foundByVector(t, ada, base, "fresh water", "Kettle")

		require.Equal(t, http.StatusNoContent, ada.Delete(t, ownKey).Status)
		sent := theirs.Texts()
		found := ada.Find(t, base, "water")
		require.Equal(t, []any{"lexical", true}, []any{found.At("mode"), found.At("degraded")})
		require.Equal(t, []string{"Kettle"}, harness.Titles(found))
		toaster := ada.AddText(t, base, "Toaster", "Put bread into the toaster")
		failed := ada.WaitUntil(t, toaster, "status", "failed")
		require.Equal(t, "EMBEDDING_FAILED", failed.Text("error.code"))
		require.Contains(t, failed.Text("error.message"), ownKey)
		require.Equal(t, sent, theirs.Texts())
		harness.RequireWrong(t, ada.Post(t, "/v1/knowledge-bases", map[string]any{"name": "x", "embedding_model": "fake-mine"}), "embedding_model")

		// At another address: all are indexed anew, also what has failed.
		other := embeddingtest.New(t)
		require.Equal(t, http.StatusOK, ada.Put(t, ownKey, ownModel(other, "fake-mine")).Status)
		ada.WaitUntil(t, toaster, "status", "ready")
		ada.WaitUntil(t, kettle, "status", "ready")
		foundByVector(t, ada, base, "toaster bread", "Toaster")
		foundByVector(t, ada, base, "fresh water", "Kettle")
		require.Equal(t, sent, theirs.Texts())

		// A document that was begun at another server starts over: its vectors are never of two.
		_, id, _ := strings.Cut(kettle, "/documents/")
		super := harness.Postgres.Superuser(t, p.Database)
		_, err := super.Exec(t.Context(), `INSERT INTO document_vectors (workspace_id, document_id, generation, base_id, model, dimensions, created_at)
			SELECT workspace_id, id, generation + 1, base_id, 'own:0000000000000000/fake-mine', 7, now() FROM documents WHERE id = $1`, id)
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, ada.Post(t, kettle+"/reindex", nil).Status)
		ada.WaitUntil(t, kettle, "status", "ready")
		foundByVector(t, ada, base, "fresh water", "Kettle")
		require.Zero(t, harness.Count(t, super, `SELECT count(*) FROM document_vectors WHERE dimensions = 7 AND removed_at IS NULL AND document_id = $1`, id))
	}, own...)
}

func TestU6AFailingModelOfAWorkspaceAlertsNobody(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, "WEBHOOK_ALLOW_PRIVATE=true", "BREAKER_OPEN_FOR=1h", "JOB_POLL_INTERVAL=20ms", "METRICS_ADDR=127.0.0.1:0")
	ada, fake := p.Register(t), embeddingtest.New(t)
	harness.RequireCode(t, ada.Post(t, ownKey+"/test", nil), http.StatusNotFound, "NOT_FOUND")
	require.Equal(t, http.StatusOK, ada.Put(t, ownKey, ownModel(fake, "fake-mine")).Status)
	works := ada.Post(t, ownKey+"/test", nil)
	require.Equal(t, []any{true, float64(embeddingtest.Dimensions), nil}, []any{works.At("ok"), works.At("dimensions"), works.At("code")}, works)
	fake.Respond(embeddingtest.Script{Key: "another"})
	wrong := ada.Post(t, ownKey+"/test", nil, harness.Operation("22222222-2222-4222-8222-222222222222"))
	require.Equal(t, []any{http.StatusOK, false, "EMBEDDING_CREDENTIALS"}, []any{wrong.Status, wrong.At("ok"), wrong.At("code")}, wrong)
	require.Contains(t, wrong.Text("message"), ownKey)
	require.NotContains(t, wrong.String(), "sk-own")
	calls := len(fake.Calls())
	require.Equal(t, wrong.Raw, ada.Post(t, ownKey+"/test", nil, harness.Operation("22222222-2222-4222-8222-222222222222")).Raw)
	require.Len(t, fake.Calls(), calls, "a repetition does not ask again")

	fake.Respond(embeddingtest.Script{Status: http.StatusServiceUnavailable})
	base := ada.NewBase(t, model("fake-mine"))
	waiting := ada.AddText(t, base, "Kettle", "Fill the kettle with fresh water")
	ada.WaitUntil(t, waiting, "error.code", "EMBEDDINGS_UNAVAILABLE")
	require.Eventually(t, func() bool {
		ada.Post(t, ownKey+"/test", nil)
		return strings.Contains(p.Metrics(t), `parley_breakers{group="own_embedding",state="open"} 1`)
	}, time.Minute, 20*time.Millisecond)
	require.Contains(t, p.Metrics(t), `parley_breakers{group="embedding",state="open"} 0`)
	require.Equal(t, http.StatusOK, ada.Get(t, "/readyz").Status)
	require.NotContains(t, p.Log.String(), `"level":"ERROR"`)

	// The breaker is of this server: another one is asked at once, by this workspace and by others.
	other := embeddingtest.New(t)
	require.Equal(t, http.StatusOK, ada.Put(t, ownKey, ownModel(other, "fake-mine")).Status)
	ada.WaitUntil(t, waiting, "status", "ready")
	eve := p.Register(t)
	fake.Respond(embeddingtest.Script{})
	require.Equal(t, http.StatusOK, eve.Put(t, ownKey, ownModel(fake, "fake-mine")).Status)
	require.Equal(t, true, eve.Post(t, ownKey+"/test", nil).At("ok"))
}

func TestU6WrongEmbeddingModelsAreRefused(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for name, body := range map[string]map[string]any{
		"api_key":    {"api_key": "short", "model": "m"},
		"model":      {"api_key": "sk-12345678", "model": "two words"},
		"base_url":   {"api_key": "sk-12345678", "model": "m", "base_url": "http://example.com/v1"},
		"dimensions": {"api_key": "sk-12345678", "model": "m", "dimensions": 4097},
	} {
		harness.RequireWrong(t, ada.Put(t, ownKey, body), name)
	}
	harness.RequireWrong(t, ada.Put(t, ownKey, map[string]any{"api_key": "sk-12345678", "model": "m", "base_url": "https://169.254.169.254/v1"}), "base_url")
	harness.RequireCode(t, ada.Get(t, ownKey), http.StatusNotFound, "NOT_FOUND")
}
