package rest

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// ListModels lists the models that the caller's workspace can use.
func (s Server) ListModels(ctx context.Context, _ ListModelsRequestObject) (ListModelsResponseObject, error) {
	found, err := s.UsableModels.Do(ctx)
	return ListModels200JSONResponse{
		Items: page.Map(found.Models, toUsableModel), Patterns: append([]string{}, found.Patterns...),
		Unavailable: page.Map(found.Missing, toUnavailable), // all on one page: there is no cursor
	}, err
}

// TestModelKey tests the workspace's own key for a provider.
func (s Server) TestModelKey(ctx context.Context, r TestModelKeyRequestObject) (TestModelKeyResponseObject, error) {
	model := ""
	if r.Body != nil && r.Body.Model != nil {
		model = *r.Body.Model
	}
	answer, err := s.TestKey.Do(ctx, callctx.From(ctx).Principal.WorkspaceID, r.Provider, model)
	return toStored(answer), err
}

// EncodeKeyTest encodes the response of an operation that tested a key.
func EncodeKeyTest(k domain.KeyTest) command.Encoder {
	return TestModelKey200JSONResponse(toKeyTest(k)).VisitTestModelKeyResponse
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
