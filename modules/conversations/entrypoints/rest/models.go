package rest

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

func (s Server) GetModelSettings(ctx context.Context, _ GetModelSettingsRequestObject) (GetModelSettingsResponseObject, error) {
	d, err := s.Models.Defaults(ctx)
	return GetModelSettings200JSONResponse(toModelSettings(d)), err
}

func (s Server) PutModelSettings(ctx context.Context, r PutModelSettingsRequestObject) (PutModelSettingsResponseObject, error) {
	var d domain.ModelDefaults
	if r.Body.DefaultModel != nil {
		d.Model = *r.Body.DefaultModel
	}
	if r.Body.Fallbacks != nil {
		d.Fallbacks = *r.Body.Fallbacks
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		warnings, err := s.PutModels.Do(ctx, d)
		written := toModelSettings(d)
		for _, w := range warnings {
			written.Warnings = append(written.Warnings, Warning{Field: w.Field, Code: w.Code, Message: w.Message})
		}
		return command.Outcome{
			Answer: PutModelSettings200JSONResponse(written).VisitPutModelSettingsResponse,
			Audit:  modelChange(ctx, "model_settings.change", toModelSettings(d)),
		}, err
	})
	return stored{answer}, err
}

func (s Server) ListModelKeys(ctx context.Context, _ ListModelKeysRequestObject) (ListModelKeysResponseObject, error) {
	keys, err := s.Models.Keys(ctx)
	return ListModelKeys200JSONResponse{Items: page.Map(keys, toModelKey)}, err
}

func (s Server) PutModelKey(ctx context.Context, r PutModelKeyRequestObject) (PutModelKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		key, err := s.PutKey.Do(ctx, r.Provider, r.Body.APIKey, r.Body.BaseURL)
		return command.Outcome{
			Answer: PutModelKey200JSONResponse(toModelKey(key)).VisitPutModelKeyResponse,
			Audit: modelChange(ctx, "model_key.put", map[string]any{
				"provider": r.Provider, "last_four": key.LastFour(), "base_url": key.BaseURL,
			}),
		}, err
	})
	return stored{answer}, err
}

func (s Server) DeleteModelKey(ctx context.Context, r DeleteModelKeyRequestObject) (DeleteModelKeyResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		err := s.Models.DeleteKey(ctx, r.Provider)
		return command.Outcome{
			Answer: DeleteModelKey204Response{}.VisitDeleteModelKeyResponse,
			Audit:  modelChange(ctx, "model_key.delete", map[string]any{"provider": r.Provider}),
		}, err
	})
	return stored{answer}, err
}

// modelChange returns an audit entry of the whole workspace, because its settings and keys have no ids.
func modelChange(ctx context.Context, action string, changes any) audit.Entry {
	return audit.Entry{Action: action, Resource: "workspace", ResourceID: callctx.From(ctx).Principal.WorkspaceID, Changes: changes}
}

func toModelSettings(d domain.ModelDefaults) ModelSettings {
	s := ModelSettings{Fallbacks: append([]string{}, d.Fallbacks...)}
	if d.Model != "" {
		s.DefaultModel = &d.Model
	}
	return s
}

func toModelKey(k domain.ModelKey) ModelKey {
	return ModelKey{Provider: k.Provider, LastFour: k.LastFour(), BaseURL: k.BaseURL, CreatedAt: k.CreatedAt}
}
