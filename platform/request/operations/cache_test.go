package operations_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/operations"
	"github.com/parley/parley/platform/testing/redistest"
)

// The suite that every cache passes. A cache may forget at any time, so each look is tried again.
func caches(t *testing.T, cache operations.Cache) {
	t.Helper()
	ctx := t.Context()
	for name, c := range map[string]operations.Cached{
		"whole": {Fingerprint: []byte{0, 1, 255}, Answer: operations.Answer{Status: 201, ContentType: "application/json", Location: "/v1/bots/1", ETag: `"1"`, Body: []byte("{\"name\":\"\\u00fc\"}\n\x00\xff")}},
		"empty": {Fingerprint: []byte{1}, Answer: operations.Answer{Status: 204, Body: []byte{}}},
		"16 kB": {Fingerprint: []byte{1}, Answer: operations.Answer{Status: 200, Body: []byte(strings.Repeat("x", 16<<10))}},
	} {
		key := uuid.NewString()
		_, found := cache.Get(ctx, key)
		require.False(t, found, name)
		require.Eventually(t, func() bool {
			cache.Put(ctx, key, c)
			got, found := cache.Get(ctx, key)
			return found && string(got.Answer.Body) == string(c.Answer.Body) && got.Answer.Status == c.Answer.Status &&
				got.Answer.ContentType == c.Answer.ContentType && got.Answer.Location == c.Answer.Location && got.Answer.ETag == c.Answer.ETag &&
				string(got.Fingerprint) == string(c.Fingerprint)
		}, time.Minute, time.Millisecond, name)
		_, found = cache.Get(ctx, key+"x")
		require.False(t, found, "another key")
	}
	key := uuid.NewString()
	cache.Put(ctx, key, operations.Cached{Answer: operations.Answer{Status: 200, Body: make([]byte, 16<<10+1)}})
	_, found := cache.Get(ctx, key)
	require.False(t, found, "large answers are left to Postgres")
}

func TestMemoryCaches(t *testing.T) {
	t.Parallel()
	caches(t, operations.NewMemoryCache())
}

func TestRedisCaches(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	cache := operations.NewRedisCache(client, slog.New(slog.DiscardHandler))
	caches(t, cache)

	key := uuid.NewString()
	require.NoError(t, client.Set(t.Context(), "parley:"+key, "{broken", time.Minute).Err())
	_, found := cache.Get(t.Context(), key)
	require.False(t, found, "what is not ours is no answer")
	require.Eventually(t, func() bool {
		cache.Put(t.Context(), key, operations.Cached{Answer: operations.Answer{Status: 204}})
		left, err := client.TTL(t.Context(), "parley:"+key).Result()
		return err == nil && left > 9*time.Minute && left <= 10*time.Minute
	}, time.Minute, time.Millisecond, "it is forgotten in time")
}

func TestACacheThatIsAwayHasNothing(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	cache := operations.NewRedisCache(client, slog.New(slog.DiscardHandler))
	cache.Put(t.Context(), "a", operations.Cached{})
	_, found := cache.Get(t.Context(), "a")
	require.False(t, found)
}

func TestTheKeyTellsWorkspaceActorAndOperationApart(t *testing.T) {
	t.Parallel()
	one := func() callctx.Call {
		return callctx.Call{Principal: callctx.Principal{WorkspaceID: uuid.Nil, UserID: uuid.Nil}, Operation: callctx.Operation{ID: uuid.Nil}}
	}
	keys := map[string]bool{}
	for _, change := range []func(c *callctx.Call){
		func(*callctx.Call) {},
		func(c *callctx.Call) { c.Principal.WorkspaceID = uuid.Max },
		func(c *callctx.Call) { c.Principal.UserID = uuid.Max },
		func(c *callctx.Call) { c.Operation.ID = uuid.Max },
	} {
		c := one()
		change(&c)
		keys[operations.CacheKey(callctx.With(t.Context(), &c))] = true
	}
	require.Len(t, keys, 4)
}
