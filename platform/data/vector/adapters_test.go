package vector

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

func TestPostgresTakesNoMoreThanItCanSearch(t *testing.T) {
	t.Parallel()
	s, url := inPostgres(t)
	store := s.adapter.(*Postgres)
	store.most = 2
	require.NoError(t, s.Upsert(s.a, s.name, []Point{point(1, 1, 0, 0), point(2, 1, 0, 0)}))
	require.NoError(t, s.Upsert(s.a, s.name, []Point{point(2, 0, 1, 0)}), "what is replaced needs no room")
	require.NoError(t, s.Upsert(s.b, s.name, []Point{point(1, 1, 0, 0)}), "another's is not counted")
	require.ErrorIs(t, s.Upsert(s.a, s.name, []Point{point(3, 1, 0, 0)}), ErrFull)
	require.Equal(t, []byte{1, 2}, idsOf(s.search(t, s.a, Query{Vector: east})), "nothing of the refused call stays")

	var rows, walled int
	su := pg.Superuser(t, url)
	require.NoError(t, su.QueryRow(t.Context(), "SELECT count(*) FROM vectors").Scan(&rows))
	require.Equal(t, 3, rows)
	require.NoError(t, store.db.In(s.b).QueryRow(s.b, "SELECT count(*) FROM vectors").Scan(&walled))
	require.Equal(t, 1, walled, "a query that forgets the workspace")
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, su.QueryRow(t.Context(), "SELECT count(*) FROM vectors").Scan(&rows))
	require.Equal(t, 3, rows, "the check has left something")
}

func TestVectorsGoWithTheTransactionThatStoresThem(t *testing.T) {
	t.Parallel()
	s, _ := inPostgres(t)
	db := s.adapter.(*Postgres).db
	require.ErrorIs(t, db.Write(s.a, func(ctx context.Context) error {
		require.NoError(t, s.Upsert(ctx, s.name, []Point{point(1, 1, 0, 0)}))
		return context.Canceled
	}), context.Canceled)
	require.Empty(t, s.search(t, s.a, Query{Vector: east}))
}

func TestACollectionThatWasMadeForOtherVectorsIsTold(t *testing.T) {
	t.Parallel()
	s := inQdrant(t)
	store := s.adapter.(*Qdrant)
	store.all[1].Dimensions = 5 // as the program of tomorrow may have it
	require.NoError(t, s.Prepare(t.Context()), "it stays as it is")
	err := s.Check(t.Context())
	require.ErrorIs(t, err, ErrDimensions)
	require.ErrorContains(t, err, s.name)
}

// TestEveryCallToQdrantNamesTheWorkspace looks at what is sent: one filter that is forgotten shows every tenant to one.
func TestEveryCallToQdrantNamesTheWorkspace(t *testing.T) {
	t.Parallel()
	server := &recorder{}
	store := server.open(t, named("notes"))
	workspace := uuid.New()
	ctx := callctx.As(t.Context(), workspace, uuid.New())
	require.NoError(t, store.Upsert(ctx, "notes", []Point{point(1, 1, 0, 0)}))
	_, err := store.Search(ctx, "notes", Query{Vector: east, Limit: 3, MinScore: 0.5})
	require.NoError(t, err)
	require.NoError(t, store.Delete(ctx, "notes", []uuid.UUID{uuid.New()}))
	require.NoError(t, store.DeleteWhere(ctx, "notes", Filter{DocumentIDs: []uuid.UUID{document}}))
	require.Equal(t, workspace.String(), server.upsert.GetPoints()[0].GetPayload()[keyWorkspace].GetStringValue())
	require.NotEqual(t, point(1).ID.String(), server.upsert.GetPoints()[0].GetId().GetUuid(), "an id of all tenants")
	filters := []*qdrant.Filter{
		server.query.GetFilter(), server.deletes[0].GetPoints().GetFilter(), server.deletes[1].GetPoints().GetFilter(),
	}
	for i, filter := range filters {
		require.Len(t, filter.GetMust(), min(i, 1)+1)
		require.Empty(t, filter.GetShould())
		first := filter.GetMust()[0].GetField()
		require.Equal(t, keyWorkspace, first.GetKey())
		require.Equal(t, workspace.String(), first.GetMatch().GetKeyword())
	}

	require.NoError(t, store.Prepare(t.Context()))
	require.Zero(t, server.create.GetHnswConfig().GetM())
	require.EqualValues(t, graphLinks, server.create.GetHnswConfig().GetPayloadM())
	require.Equal(t, qdrant.Distance_Cosine, server.create.GetVectorsConfig().GetParams().GetDistance())
	indexes := map[string]bool{}
	for _, index := range server.indexes {
		indexes[index.GetFieldName()] = index.GetFieldIndexParams().GetKeywordIndexParams().GetIsTenant()
	}
	require.Equal(t, map[string]bool{
		keyWorkspace: true, keyPoint: false, keyDocument: false, keyLabel + "bot": false, keyLabel + "lang": false,
	}, indexes)
}

func TestAPurgedWorkspaceIsForgottenInEveryCollection(t *testing.T) {
	t.Parallel()
	server := &recorder{}
	store, workspace := server.open(t, named("notes")), uuid.New()
	require.NoError(t, store.Forget(callctx.As(t.Context(), uuid.New(), uuid.New()), workspace))
	require.Len(t, server.deletes, 2, "also in those that another process has added, and in none of other programs")
	for i, name := range []string{"parley_notes", "parley_later"} {
		require.Equal(t, name, server.deletes[i].GetCollectionName())
		must := server.deletes[i].GetPoints().GetFilter().GetMust()
		require.Len(t, must, 1)
		require.Equal(t, workspace.String(), must[0].GetField().GetMatch().GetKeyword())
	}
}

func TestAQdrantThatDoesNotTakeTheKeySaysSoAndShowsItToNobody(t *testing.T) {
	t.Parallel()
	server := &recorder{key: "another"}
	store := server.open(t)
	for range 10 {
		err := store.Check(t.Context())
		require.ErrorContains(t, err, "QDRANT_API_KEY")
		require.NotContains(t, err.Error(), "hunter2")
	}
	server.key = "hunter2"
	require.NoError(t, store.Ping(t.Context()), "it answered all the time: that opens no breaker")
}

func TestAQdrantThatIsAwayIsSoonNotAskedAnyMore(t *testing.T) {
	t.Parallel()
	server := &recorder{away: true}
	store := server.open(t, named("notes"))
	ctx := callctx.As(t.Context(), uuid.New(), uuid.New())
	for range 20 {
		_, err := store.Search(ctx, "notes", Query{Vector: east, Limit: 1})
		require.ErrorIs(t, err, fail.ErrUnavailable)
	}
	require.EqualValues(t, 5, server.asked.Load(), "five failures open the breaker, repetitions included")
	server.away = false
	require.NoError(t, store.Ping(t.Context()), "the look at its health goes on")
}

// recorder is a server that keeps what it was sent, and answers nothing of use.
type recorder struct {
	qdrant.UnimplementedQdrantServer
	key     string // "": any
	away    bool
	asked   atomic.Int64
	upsert  *qdrant.UpsertPoints
	query   *qdrant.QueryPoints
	create  *qdrant.CreateCollection
	deletes []*qdrant.DeletePoints
	indexes []*qdrant.CreateFieldIndexCollection
}

type (
	recordedPoints struct {
		qdrant.UnimplementedPointsServer
		*recorder
	}
	recordedCollections struct {
		qdrant.UnimplementedCollectionsServer
		*recorder
	}
)

func (r *recorder) open(t *testing.T, collections ...Collection) *Qdrant {
	t.Helper()
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if r.asked.Add(1); r.away {
			return nil, status.Error(codes.Unavailable, "away")
		}
		if sent, _ := metadata.FromIncomingContext(ctx); r.key != "" && strings.Join(sent["api-key"], "") != r.key {
			return nil, status.Error(codes.Unauthenticated, "not with "+strings.Join(sent["api-key"], ""))
		}
		return next(ctx, req)
	}))
	qdrant.RegisterQdrantServer(server, r)
	qdrant.RegisterPointsServer(server, &recordedPoints{recorder: r})
	qdrant.RegisterCollectionsServer(server, &recordedCollections{recorder: r})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	store, err := NewQdrant(QdrantOptions{URL: "http://" + listener.Addr().String(), APIKey: "hunter2", Guard: guard(t)}, collections...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func (r *recorder) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{}, nil
}

func (r *recordedPoints) Upsert(_ context.Context, sent *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	r.upsert = sent
	return &qdrant.PointsOperationResponse{}, nil
}

func (r *recordedPoints) Query(_ context.Context, sent *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	r.query = sent
	return &qdrant.QueryResponse{}, nil
}

func (r *recordedPoints) Delete(_ context.Context, sent *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	r.deletes = append(r.deletes, sent)
	return &qdrant.PointsOperationResponse{}, nil
}

func (r *recordedPoints) CreateFieldIndex(_ context.Context, sent *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	if strings.HasSuffix(sent.GetCollectionName(), "notes") {
		r.indexes = append(r.indexes, sent)
	}
	return &qdrant.PointsOperationResponse{}, nil
}

func (r *recordedCollections) CollectionExists(context.Context, *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{}}, nil
}

func (r *recordedCollections) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	return &qdrant.ListCollectionsResponse{Collections: []*qdrant.CollectionDescription{{Name: "parley_notes"}, {Name: "of_others"}, {Name: "parley_later"}}}, nil
}

func (r *recordedCollections) Create(_ context.Context, sent *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	r.create = sent
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func TestACollectionHasANameAndASize(t *testing.T) {
	t.Parallel()
	for _, wrong := range [][]Collection{
		{{Name: "", Dimensions: 1}},
		{{Name: "Notes", Dimensions: 1}},
		{{Name: "notes"}},
		{{Name: "notes", Dimensions: MaxDimensions + 1}},
		{{Name: "notes", Dimensions: 1, Labels: []string{"a.b"}}},
		{{Name: "notes", Dimensions: 1}, {Name: "notes", Dimensions: 1}},
		{probe()},
	} {
		_, err := NewPostgres(nil, wrong...)
		require.Error(t, err, "%v", wrong)
		_, err = NewQdrant(QdrantOptions{URL: "http://localhost"}, wrong...)
		require.Error(t, err, "%v", wrong)
	}
}

// BenchmarkSearchInPostgres is a search among as many vectors as a workspace may have.
func BenchmarkSearchInPostgres(b *testing.B) {
	const dimensions = 384
	store, err := NewPostgres(pg.DB(b), Collection{Name: "notes", Dimensions: dimensions})
	require.NoError(b, err)
	ctx := callctx.As(b.Context(), uuid.New(), uuid.New())
	require.NoError(b, store.db.Write(ctx, func(ctx context.Context) error {
		_, err := store.db.In(ctx).Exec(ctx, "INSERT INTO workspaces VALUES ($1, 'Acme', now())", callctx.From(ctx).Principal.WorkspaceID)
		return err
	}))
	random := func() []float32 {
		v := make([]float32, dimensions)
		for i := range v {
			v[i] = rand.Float32() - 0.5
		}
		return v
	}
	text := make([]byte, 900)
	for stored := 0; stored < MaxPoints; {
		points := make([]Point, min(MaxBatch, MaxPoints-stored))
		for i := range points {
			for j := range text {
				text[j] = byte('a' + rand.N(26))
			}
			points[i] = Point{ID: uuid.New(), Vector: random(), DocumentID: document, Content: string(text)}
		}
		require.NoError(b, store.Upsert(ctx, "notes", points))
		stored += len(points)
	}
	query := Query{Vector: random(), Limit: 10}
	for b.Loop() {
		found, err := store.Search(ctx, "notes", query)
		require.NoError(b, err)
		require.Len(b, found, 10)
	}
}
