package rest

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/page"
)

// ListModels lists the models that the caller's workspace can use.
func (s Server) ListModels(ctx context.Context, _ ListModelsRequestObject) (ListModelsResponseObject, error) {
	found, err := s.UsableModels.Do(ctx)
	return ListModels200JSONResponse{
		Items: page.Map(found.Models, toUsableModel), Patterns: append([]string{}, found.Patterns...),
		Unavailable: page.Map(found.Missing, toUnavailable), // all on one page: there is no cursor
	}, err
}

// TestModelKey tests the workspace's own key for a provider. Neither a transaction nor a connection is held during the
// call to the provider. The result is stored with the audit row, and a repetition returns it without another call.
func (s Server) TestModelKey(ctx context.Context, r TestModelKeyRequestObject) (TestModelKeyResponseObject, error) {
	if answer, seen, err := s.Commands.Seen(ctx); seen || err != nil {
		return stored{answer}, err
	}
	model := ""
	if r.Body != nil && r.Body.Model != nil {
		model = *r.Body.Model
	}
	result, err := s.TestKey.Do(ctx, call.From(ctx).Principal.WorkspaceID, r.Provider, model)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: TestModelKey200JSONResponse(toKeyTest(result)).VisitTestModelKeyResponse,
			Audit:  modelChange(ctx, "model_key.test", map[string]any{"provider": r.Provider, "model": model, "ok": result.OK(), "code": result.Code}),
		}, nil
	})
	return stored{answer}, err
}

func toUsableModel(m domain.UsableModel) UsableModel {
	usable := UsableModel{ID: m.String(), Provider: m.Provider, Name: m.Name, Source: KeySource(m.Source)}
	if m.Window > 0 {
		usable.Window = &m.Window
	}
	if m.Prices != nil {
		usable.Prices = &ModelPrices{Input: m.Prices.Input, Output: m.Prices.Output, Cached: m.Prices.Cached}
	}
	return usable
}

func toUnavailable(f domain.ListFailure) UnavailableModels {
	return UnavailableModels{Provider: f.Provider, Source: KeySource(f.Source), Code: f.Code, Message: f.Message}
}

func toKeyTest(k domain.KeyTest) ModelKeyTest {
	return ModelKeyTest{
		Ok: k.OK(), Code: orNull(k.Code), Message: orNull(k.Message), ProviderCode: orNull(k.ProviderCode), LatencyMs: k.Latency.Milliseconds(),
	}
}

// orNull returns nil for an empty text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
