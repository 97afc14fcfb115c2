package embeddings_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/embeddings"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

func guard(timeout time.Duration, retries int) *resilience.Group {
	return resilience.NewGroup("embedding", resilience.Policy{
		Timeout: timeout, Retries: retries, Concurrency: 8, PerSource: 4, Failures: 3, Sources: 2, OpenFor: time.Hour,
	}, slog.New(slog.DiscardHandler))
}

// serving returns a server with the defaults of the program, and its fake.
func serving(t *testing.T) (embeddings.Server, *embeddingtest.Server) {
	t.Helper()
	fake := embeddingtest.New(t)
	return embeddings.Server{
		URL: fake.BaseURL(), Key: "sk-test-0123456789", Batch: 10, Client: webhook.NewTrustedStreamClient(), Guard: guard(time.Minute, 0),
	}, fake
}

func workspace(ctx context.Context) context.Context { return callctx.As(ctx, uuid.New(), uuid.Nil) }

func texts(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("text number%d", i)
	}
	return list
}

func requireVectorsOf(t *testing.T, texts []string, vectors [][]float32) {
	t.Helper()
	require.Len(t, vectors, len(texts))
	for i, text := range texts {
		want := embeddingtest.Vector(embeddingtest.Model, text, embeddingtest.Dimensions)
		var sum, dot, length float64
		for j, x := range vectors[i] {
			sum += float64(x) * float64(x)
			dot += float64(x) * float64(want[j])
			length += float64(want[j]) * float64(want[j])
		}
		require.InDelta(t, 1, sum, 1e-5, "its length is 1")
		require.InDelta(t, math.Sqrt(length), dot, 1e-4, "it is the vector of %q", text)
	}
}

func TestEachTextGetsItsVectorWhateverTheOrderOfTheAnswer(t *testing.T) {
	t.Parallel()
	for _, backwards := range []bool{false, true} {
		s, fake := serving(t)
		fake.Respond(embeddingtest.Script{Backwards: backwards})
		vectors, usage, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(23))
		require.NoError(t, err)
		requireVectorsOf(t, texts(23), vectors)
		require.Equal(t, ports.EmbeddingUsage{Tokens: 46}, usage)
		calls := fake.Calls()
		require.Len(t, calls, 3)
		for i, n := range []int{10, 10, 3} {
			require.Len(t, calls[i].Input, n)
			require.Equal(t, "/v1/embeddings", calls[i].Path)
			require.Equal(t, "float", calls[i].EncodingFormat)
			require.Equal(t, "Bearer sk-test-0123456789", calls[i].Header.Get("Authorization"))
			require.Nil(t, calls[i].Dimensions, "many servers refuse the parameter")
			require.Nil(t, calls[i].User)
		}
	}
}

func TestABatchThatIsTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge} {
		s, fake := serving(t)
		fake.Respond(embeddingtest.Script{MaxBatch: 3, TooMany: status})
		vectors, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(11))
		require.NoError(t, err)
		requireVectorsOf(t, texts(11), vectors)
		var sizes []int
		for _, c := range fake.Calls() {
			sizes = append(sizes, len(c.Input))
		}
		require.Equal(t, []int{10, 5, 2, 2, 2, 2, 2, 1}, sizes)
	}
}

func TestPrefixesAreOfQueriesAndOfPassages(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	s.QueryPrefix, s.PassagePrefix = "query: ", "passage: "
	for _, kind := range []ports.EmbeddingKind{ports.Query, ports.Passage} {
		_, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, kind, []string{"one"})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"query: one"}, fake.Calls()[0].Input)
	require.Equal(t, []string{"passage: one"}, fake.Calls()[1].Input)
}

func TestTheNumberOfDimensionsIsAskedForAndVerified(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	s.Dimensions = 16
	vectors, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(2))
	require.NoError(t, err)
	require.Len(t, vectors[1], 16)
	require.Equal(t, 16, *fake.Calls()[0].Dimensions)

	fake.Respond(embeddingtest.Script{Body: `{"data": [{"index": 0, "embedding": [1, 2, 3]}]}`})
	_, _, err = s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, ports.ErrEmbeddingDimensions)
	require.Equal(t, 3, fail.From(err).Details["dimensions"])
}

func TestFailuresThatPassAreToldFromThoseThatStay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   *fail.Error
	}{
		"a bad key":         {401, `{"error": {"message": "Incorrect API key provided: sk-test-0123456789", "code": "invalid_api_key"}}`, ports.ErrEmbeddingCredentials},
		"another bad key":   {403, ``, ports.ErrEmbeddingCredentials},
		"no credit":         {429, `{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}}`, ports.ErrEmbeddingQuota},
		"an unknown model":  {404, `{"error": {"message": "The model does not exist", "code": "model_not_found"}}`, ports.ErrEmbeddingModelUnknown},
		"a wrong path":      {404, `<html>`, ports.ErrEmbeddingModelUnknown},
		"a redirect":        {302, ``, ports.ErrEmbeddingRejected},
		"a long text":       {400, `{"error": {"message": "This model's maximum context length is 8192 tokens, however you requested 9000 tokens"}}`, ports.ErrEmbeddingTooLong},
		"a body too large":  {413, `{"error": "Input validation error: inputs must have less than 512 tokens. Given: 600"}`, ports.ErrEmbeddingTooLong},
		"no dimensions":     {400, `{"error": {"message": "This model does not support specifying dimensions."}}`, ports.ErrEmbeddingRejected},
		"too many calls":    {429, `{"error": {"message": "Rate limit reached"}}`, ports.ErrEmbeddingsAway},
		"overload":          {503, ``, ports.ErrEmbeddingsAway},
		"a proxy's error":   {502, `<html>`, ports.ErrEmbeddingsAway},
		"a model that goes": {500, `{"error": {"message": "CUDA out of memory"}}`, ports.ErrEmbeddingsAway},
		"no JSON":           {0, `<html>soon</html>`, ports.ErrEmbeddingsAway},
		"base64":            {0, `{"data": [{"index": 0, "embedding": "AACAPwAAAEA="}]}`, ports.ErrEmbeddingsAway},
		"too few vectors":   {0, `{"data": []}`, ports.ErrEmbeddingsAway},
		"a wrong index":     {0, `{"data": [{"index": 1, "embedding": [1]}]}`, ports.ErrEmbeddingsAway},
		"no dimension":      {0, `{"data": [{"index": 0, "embedding": []}]}`, ports.ErrEmbeddingDimensions},
		"a huge number":     {0, `{"data": [{"index": 0, "embedding": [1e99]}]}`, ports.ErrEmbeddingsAway},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, fake := serving(t)
			fake.Respond(embeddingtest.Script{Status: test.status, Body: test.body})
			_, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, []string{"secret words of a tenant"})
			require.ErrorIs(t, err, test.want)
			require.Equal(t, test.want != ports.ErrEmbeddingsAway, ports.PermanentEmbeddingFailure(err))
			require.NotContains(t, fmt.Sprint(err, fail.From(err).Details), "sk-test")
			require.NotContains(t, fmt.Sprint(err, fail.From(err).Details), "secret words")
			require.Len(t, fake.Calls(), 1)
		})
	}
}

func TestOfAnAnswerNoMoreIsReadThanVectorsCanHave(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	fake.Respond(embeddingtest.Script{Body: `{"data": [{"index": 0, "embedding": [1` + strings.Repeat(",         1", 30_000) + `]}]}`})
	_, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, ports.ErrEmbeddingsAway)
	require.ErrorContains(t, err, "sent more than")
}

func TestAServerThatIsAwayIsAwayForAsLongAsItSays(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	fake.Respond(embeddingtest.Script{Status: 429, RetryAfter: "17"})
	ctx := workspace(t.Context())
	_, _, err := s.Embed(ctx, embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, ports.ErrEmbeddingsAway)
	require.Equal(t, 17*time.Second, fail.From(err).RetryAfter)
	fake.Respond(embeddingtest.Script{})
	_, _, err = s.Embed(ctx, embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, ports.ErrEmbeddingsAway, "it is not asked before that")
	require.Greater(t, fail.From(err).RetryAfter, 10*time.Second)
	require.Len(t, fake.Calls(), 1)
	_, _, err = s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(1))
	require.NoError(t, err, "another workspace is not affected")
}

func TestAFailureThatPassesIsRepeatedAndThenStopsTheCalls(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	s.Guard = guard(time.Minute, 1)
	ctx := workspace(t.Context())
	fake.Respond(embeddingtest.Script{Status: 503, Refusals: 1})
	_, _, err := s.Embed(ctx, embeddingtest.Model, ports.Passage, texts(1))
	require.NoError(t, err)
	require.Len(t, fake.Calls(), 2)

	s, fake = serving(t)
	fake.Respond(embeddingtest.Script{Status: 503})
	for range 5 {
		_, _, err = s.Embed(ctx, embeddingtest.Model, ports.Passage, texts(1))
		require.ErrorIs(t, err, ports.ErrEmbeddingsAway)
	}
	require.Len(t, fake.Calls(), 3, "the breaker is open")
}

func TestAServerThatHangsCostsOneTimeout(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	s.Guard = guard(50*time.Millisecond, 0)
	fake.Respond(embeddingtest.Script{Hangs: true})
	_, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, ports.ErrEmbeddingsAway)

	ctx, cancel := context.WithCancel(workspace(t.Context()))
	cancel()
	_, _, err = s.Embed(ctx, embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, context.Canceled)
}

func TestATextWithoutADirectionHasNoVector(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	fake.Respond(embeddingtest.Script{Mute: true})
	vectors, usage, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, []string{"!!!", "words"})
	require.NoError(t, err)
	require.Nil(t, vectors[0])
	require.Len(t, vectors[1], embeddingtest.Dimensions)
	require.True(t, usage.Estimated)
	require.Positive(t, usage.Tokens)
	vectors, _, err = s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, nil)
	require.NoError(t, err)
	require.Empty(t, vectors)
}

func TestTheServerOfATenantMayNotBeInOurNetwork(t *testing.T) {
	t.Parallel()
	s, fake := serving(t)
	s.Client = webhook.NewStreamClient(webhook.PublicTargets)
	_, _, err := s.Embed(workspace(t.Context()), embeddingtest.Model, ports.Passage, texts(1))
	require.ErrorIs(t, err, ports.ErrEmbeddingsAway)
	require.ErrorContains(t, err, "the address is not public")
	require.Empty(t, fake.Calls())
}
