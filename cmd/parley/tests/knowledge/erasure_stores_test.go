package knowledge

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/qdrant/go-client/qdrant"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
	"github.com/parley/parley/platform/testing/clickhousetest"
	"github.com/parley/parley/platform/testing/qdranttest"
	"github.com/parley/parley/platform/testing/redistest"
)

// allObjects are the contents of all objects of the bucket that the settings name.
func allObjects(t *testing.T, settings []string) (contents []string) {
	t.Helper()
	of := func(name string) string {
		for _, s := range settings {
			if value, ok := strings.CutPrefix(s, name+"="); ok {
				return value
			}
		}
		t.Fatalf("%s is not set", name)
		return ""
	}
	u, err := url.Parse(of("MINIO_ENDPOINT"))
	require.NoError(t, err)
	client, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(of("MINIO_ACCESS_KEY"), of("MINIO_SECRET_KEY"), ""), Secure: u.Scheme == "https"})
	require.NoError(t, err)
	for o := range client.ListObjects(t.Context(), of("MINIO_BUCKET"), minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(t, o.Err)
		object, err := client.GetObject(t.Context(), of("MINIO_BUCKET"), o.Key, minio.GetObjectOptions{})
		require.NoError(t, err)
		content, err := io.ReadAll(object)
		_ = object.Close()
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			continue // it was removed since it was listed
		}
		require.NoError(t, err)
		contents = append(contents, o.Key+" "+string(content))
	}
	return contents
}

// allPoints are the payloads of all points of a workspace in a Qdrant, with the vectors of one model.
func allPoints(t *testing.T, address, workspace string) (payloads []string) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	client, err := qdrant.NewClient(&qdrant.Config{Host: u.Hostname(), Port: port, SkipCompatibilityCheck: true, PoolSize: 1})
	require.NoError(t, err)
	defer client.Close()
	sum := sha256.Sum256([]byte(embeddingtest.Model))
	points, err := client.Query(t.Context(), &qdrant.QueryPoints{
		CollectionName: fmt.Sprintf("parley_chunks_%x_%d", sum[:8], embeddingtest.Dimensions), Query: qdrant.NewQueryDense(embeddingtest.Vector(embeddingtest.Model, "kettle", embeddingtest.Dimensions)),
		Limit: new(uint64(100_000)), WithPayload: qdrant.NewWithPayload(true),
	})
	require.NoError(t, err)
	for _, p := range points {
		if text := fmt.Sprint(p.GetPayload()); strings.Contains(text, workspace) {
			payloads = append(payloads, text)
		}
	}
	return payloads
}

// allKeys are the keys and values of a Redis that hold a text.
func allKeys(t *testing.T, text string) (found []string) {
	t.Helper()
	client := redistest.Client(t)
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		key := keys.Val()
		value := key
		switch client.Type(t.Context(), key).Val() {
		case "string":
			value += client.Get(t.Context(), key).Val()
		case "hash":
			value += fmt.Sprint(client.HGetAll(t.Context(), key).Val())
		case "list":
			value += fmt.Sprint(client.LRange(t.Context(), key, 0, -1).Val())
		case "set":
			value += fmt.Sprint(client.SMembers(t.Context(), key).Val())
		case "zset":
			value += fmt.Sprint(client.ZRange(t.Context(), key, 0, -1).Val())
		case "stream":
			value += fmt.Sprint(client.XRange(t.Context(), key, "-", "+").Val())
		}
		if strings.Contains(value, text) {
			found = append(found, key)
		}
	}
	require.NoError(t, keys.Err())
	return found
}

// allRows is everything in a database of a ClickHouse.
func allRows(t *testing.T, address, database string) string {
	t.Helper()
	ask := func(query string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(query))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, string(body))
		return string(body)
	}
	var all strings.Builder
	for table := range strings.FieldsSeq(ask("SELECT name FROM system.tables WHERE database = '" + database + "' FORMAT TSV")) {
		all.WriteString(ask("SELECT * FROM " + database + "." + table + " FORMAT JSONEachRow"))
	}
	return all.String()
}

// What is erased is in no other store either: neither in a bucket, nor in Qdrant, ClickHouse or Redis.
func TestErasedTextIsInNoOtherStore(t *testing.T) {
	t.Parallel()
	vectors := qdranttest.URL(t)
	counts, database := clickhousetest.Server(t)
	settings := append(harness.InS3(t), "QDRANT_URL="+vectors, "CLICKHOUSE_HOST="+counts, "CLICKHOUSE_DATABASE="+database, "REDIS_URL="+redistest.URL(t))
	fake := embeddingtest.New(t)
	p := harness.Start(t, append(append(settings, harness.FastJobs...), "UPKEEP_INTERVAL=100ms", "EMBEDDING_BASE_URL="+fake.BaseURL(), "EMBEDDING_MODEL="+embeddingtest.Model)...)
	ada := p.Register(t)
	marker := "xyzzy" + strings.ReplaceAll(uuid.NewString(), "-", "")
	base := ada.NewBase(t, model(embeddingtest.Model))
	file, document := indexedFile(t, ada, base, "The warranty of a kettle is "+marker+".\n")
	ada.Indexed(t, base, "Typed", "The lever of a kettle is "+marker+".")
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Say " + marker})
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	threads := []string{threadOn(t, ada, base, nil), ada.Thread(t, bot.Text("id")), threadOn(t, ada, base, nil)}
	var said harness.Answer
	for _, thread := range threads {
		said = ada.Say(t, thread, "What is the warranty of a kettle, "+marker+"?", harness.Operation(uuid.NewString()))
		require.Equal(t, http.StatusOK, said.Status, said)
	}
	inObjects := func() int { return strings.Count(strings.Join(allObjects(t, settings), "\n"), marker) }
	redis := redistest.Client(t)
	seen := "test:" + marker
	require.NoError(t, redis.Set(t.Context(), seen, marker, time.Minute).Err()) // nothing of the program is there for sure
	require.Contains(t, allKeys(t, marker), seen)
	require.NoError(t, redis.Del(t.Context(), seen).Err())
	require.Positive(t, inObjects(), "the file is not in the bucket: the test looks elsewhere")
	require.Len(t, allPoints(t, vectors, ada.Workspace), 2)
	require.Eventually(t, func() bool { return strings.Contains(allRows(t, counts, database), ada.Workspace) }, 30*time.Second, 100*time.Millisecond, "no turn is counted")

	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/conversations/threads/"+threads[0]).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/conversations/messages/"+said.Text("user_message.id")).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, "/v1/bots/"+bot.Text("id")+"?threads=true").Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, document).Status)
	require.Equal(t, http.StatusNoContent, ada.Delete(t, file).Status)
	for _, d := range ada.Get(t, base+"/documents").Items() {
		if d["title"] == "Typed" {
			require.Equal(t, http.StatusNoContent, ada.Delete(t, base+"/documents/"+d["id"].(string)).Status)
		}
	}
	require.Eventually(t, func() bool {
		return p.Number(t, `SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM document_files) + (SELECT count(*) FROM files)
			+ (SELECT count(*) FROM bots WHERE threads_deleted_at IS NOT NULL)`) == 0
	}, 60*time.Second, 50*time.Millisecond, "the erasures do not end")
	// The bytes of a file are removed a while later, for those who download it at the moment.
	p.SQL(t, `UPDATE job_queue SET run_at = now() WHERE kind = 'file.remove_bytes'`)
	require.Eventually(t, func() bool { return inObjects() == 0 }, 60*time.Second, 100*time.Millisecond, "it is in the bucket")
	require.Eventually(t, func() bool { return len(allPoints(t, vectors, ada.Workspace)) == 0 }, 60*time.Second, 100*time.Millisecond, "it is in Qdrant")
	require.NotContains(t, allRows(t, counts, database), marker, "it is in ClickHouse")
	require.Empty(t, allKeys(t, marker), "it is in Redis")
	harness.RequireNowhere(t, harness.Postgres.Superuser(t, p.Database), marker)
	require.NotContains(t, p.Log.String(), marker)
}
