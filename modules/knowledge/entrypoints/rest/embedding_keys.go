package rest

import (
	"context"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
)

// GetEmbeddingKey returns the workspace's own embedding model.
func (s Server) GetEmbeddingKey(ctx context.Context, _ GetEmbeddingKeyRequestObject) (GetEmbeddingKeyResponseObject, error) {
	key, err := s.Keys.Get(ctx)
	return GetEmbeddingKey200JSONResponse(toEmbeddingKey(key)), err
}

// PutEmbeddingKey sets the workspace's own embedding model.
func (s Server) PutEmbeddingKey(ctx context.Context, r PutEmbeddingKeyRequestObject) (PutEmbeddingKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		key, err := s.ChangeKey.Put(ctx, usecases.EmbeddingKeyInput{
			Secret: r.Body.APIKey, Model: r.Body.Model, BaseURL: r.Body.BaseURL, Dimensions: r.Body.Dimensions,
		})
		return command.Outcome{
			Answer: PutEmbeddingKey200JSONResponse(toEmbeddingKey(key)).VisitPutEmbeddingKeyResponse,
			Audit: embeddingKeyChange(ctx, "put", map[string]any{
				"model": key.Model, "last_four": key.LastFour(), "base_url": key.BaseURL, "dimensions": pageOrNull(key.Dimensions),
			}),
		}, err
	})
	return stored{answer}, err
}

// DeleteEmbeddingKey deletes the workspace's own embedding model.
func (s Server) DeleteEmbeddingKey(ctx context.Context, _ DeleteEmbeddingKeyRequestObject) (DeleteEmbeddingKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		key, err := s.ChangeKey.Delete(ctx)
		return command.Outcome{
			Answer: DeleteEmbeddingKey204Response{}.VisitDeleteEmbeddingKeyResponse,
			Audit:  embeddingKeyChange(ctx, "delete", map[string]any{"model": key.Model}),
		}, err
	})
	return stored{answer}, err
}

// TestEmbeddingKey tests the workspace's own embedding model. A repetition receives the stored answer, without another call.
func (s Server) TestEmbeddingKey(ctx context.Context, _ TestEmbeddingKeyRequestObject) (TestEmbeddingKeyResponseObject, error) {
	if answer, seen, err := s.Commands.Seen(ctx); seen || err != nil {
		return stored{answer}, err
	}
	test, err := s.TestKey.Do(ctx, callctx.From(ctx).Principal.WorkspaceID)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: TestEmbeddingKey200JSONResponse(toEmbeddingKeyTest(test)).VisitTestEmbeddingKeyResponse,
			Audit:  embeddingKeyChange(ctx, "test", map[string]any{"ok": test.Code == "", "code": test.Code}),
		}, nil
	})
	return stored{answer}, err
}

// embeddingKeyChange returns an audit entry of the whole workspace, which has one model of its own at most.
func embeddingKeyChange(ctx context.Context, verb string, changes any) audit.Entry {
	return audit.Entry{Action: "embedding_key." + verb, Resource: "workspace", ResourceID: callctx.From(ctx).Principal.WorkspaceID, Changes: changes}
}

func toEmbeddingKey(k domain.EmbeddingKey) EmbeddingKey {
	return EmbeddingKey{Model: k.Model, BaseURL: k.BaseURL, Dimensions: pageOrNull(k.Dimensions), LastFour: k.LastFour(), CreatedAt: k.CreatedAt}
}

func toEmbeddingKeyTest(t domain.EmbeddingTest) EmbeddingKeyTest {
	return EmbeddingKeyTest{
		Ok: t.Code == "", Dimensions: pageOrNull(t.Dimensions), Code: orNull(t.Code), Message: orNull(t.Message), ProviderCode: orNull(t.ProviderCode),
		LatencyMs: t.Latency.Milliseconds(),
	}
}
