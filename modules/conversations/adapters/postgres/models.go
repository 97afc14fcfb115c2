package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/conversationsdb"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
)

// Models stores the settings of models and keys for them, and reads threads for prompts. The box seals each key for its
// workspace and provider.
type Models struct {
	DB  *postgres.DB
	Box *secret.Box
}

// Recall reads everything with one query.
func (m Models) Recall(ctx context.Context, thread uuid.UUID, before int64, path domain.Path, limit, bytes int) (ports.Recalled, error) {
	q, workspace := queries(ctx, m.DB)
	rows, err := q.RecallThread(ctx, conversationsdb.RecallThreadParams{
		WorkspaceID: workspace, ThreadID: thread, Before: before, Path: string(path), Most: int32(limit), MaxBytes: int64(bytes), Refused: refusedTexts(),
		MaxChars: maxRecalled,
	})
	if err != nil {
		return ports.Recalled{}, fmt.Errorf("recall the thread: %w", err)
	}
	r := ports.Recalled{Own: map[string]ports.Access{}}
	for _, row := range rows {
		if row.Provider == "" {
			m := domain.Message{ThreadID: thread, Seq: row.Seq, Role: domain.Role(row.Role), Content: row.Content}
			if string(row.Calls) != "null" {
				if m, err = withCalls(m, *row.TurnID, row.Calls); err != nil {
					return r, err
				}
			}
			if row.Attached {
				m.AttachedTurn = *row.TurnID
			}
			r.History = append(r.History, m)
			continue
		}
		if r.Own[row.Provider], err = m.open(workspace, row.Provider, row.Sealed, row.BaseURL); err != nil {
			return r, err
		}
	}
	return r, nil
}

// maxRecalled is how long the texts of a call of an earlier turn are in a prompt, in characters.
const maxRecalled = 8192

// withCalls returns an answer with the steps that these calls of tools were.
func withCalls(m domain.Message, turn uuid.UUID, encoded []byte) (domain.Message, error) {
	var rows []toolCallRow
	if err := json.Unmarshal(encoded, &rows); err != nil {
		return m, fmt.Errorf("read the calls of tools of an earlier turn: %w", err)
	}
	calls := make([]domain.ToolCall, len(rows))
	for i, r := range rows {
		calls[i] = domain.ToolCall{
			Step: r.Step, Said: r.Said, ModelCall: domain.ModelCall{ID: r.ModelID, Name: r.Name, Arguments: r.Arguments},
			Kind: domain.ToolKind(r.Kind), Status: domain.ToolCallStatus(r.Status), Result: valueOf(r.Result), Reason: valueOf(r.Reason),
		}
	}
	m.ID = domain.AnswerID(turn)
	return m.After(domain.StepsOf(calls)), nil
}

// refusedTexts returns the codes of turns whose message the provider refuses whenever it is sent.
func refusedTexts() []string {
	return []string{ports.ErrContentFiltered.Code, ports.ErrModelRejected.Code, ports.ErrContextTooLong.Code, ports.ErrAttachmentUnreadable.Code}
}

// OwnKeys returns the workspace's own keys by provider, opened.
func (m Models) OwnKeys(ctx context.Context) (map[string]ports.Access, error) {
	q, workspace := queries(ctx, m.DB)
	rows, err := q.ListSealedModelKeys(ctx, workspace)
	if err != nil {
		return nil, fmt.Errorf("read the keys for models: %w", err)
	}
	own := map[string]ports.Access{}
	for _, row := range rows {
		if own[row.Provider], err = m.open(workspace, row.Provider, row.Sealed, row.BaseURL); err != nil {
			return nil, err
		}
	}
	return own, nil
}

func (m Models) open(workspace uuid.UUID, provider string, sealed []byte, baseURL string) (ports.Access, error) {
	key, err := m.Box.Open(sealed, sealedFor(workspace, provider))
	if err != nil {
		return ports.Access{}, fmt.Errorf("open the workspace's key for %s (ENCRYPTION_KEY, or else SECRET_KEY, opens it): %w", provider, err)
	}
	return ports.Access{Key: string(key), BaseURL: baseURL}, nil
}

func (m Models) Defaults(ctx context.Context) (domain.ModelDefaults, error) {
	q, workspace := queries(ctx, m.DB)
	row, err := q.GetModelSettings(ctx, workspace)
	if err != nil && !postgres.IsMissing(err) {
		return domain.ModelDefaults{}, fmt.Errorf("read the settings of models: %w", err)
	}
	return toDefaults(row.DefaultModel, row.Fallbacks), nil
}

func (m Models) SetDefaults(ctx context.Context, d domain.ModelDefaults, at time.Time) error {
	q, workspace := queries(ctx, m.DB)
	err := q.PutModelSettings(ctx, conversationsdb.PutModelSettingsParams{
		WorkspaceID: workspace, DefaultModel: known(d.Model), Fallbacks: append([]string{}, d.Fallbacks...), UpdatedAt: at,
	})
	if err != nil {
		return fmt.Errorf("store the settings of models: %w", err)
	}
	return nil
}

func (m Models) Keys(ctx context.Context) ([]domain.ModelKey, error) {
	q, workspace := queries(ctx, m.DB)
	rows, err := q.ListModelKeys(ctx, workspace)
	if err != nil {
		return nil, fmt.Errorf("list the keys for models: %w", err)
	}
	keys := make([]domain.ModelKey, len(rows))
	for i, r := range rows {
		keys[i] = domain.KeptModelKey(r.Provider, r.LastFour, r.BaseURL, r.CreatedAt)
	}
	return keys, nil
}

func (m Models) PutKey(ctx context.Context, k domain.ModelKey) error {
	q, workspace := queries(ctx, m.DB)
	err := q.PutModelKey(ctx, conversationsdb.PutModelKeyParams{
		WorkspaceID: workspace, Provider: k.Provider, Sealed: m.Box.Seal([]byte(k.Secret()), sealedFor(workspace, k.Provider)),
		LastFour: k.LastFour(), BaseURL: k.BaseURL, CreatedBy: callctx.From(ctx).Principal.UserID, CreatedAt: k.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("store a key for models: %w", err)
	}
	return nil
}

func (m Models) DeleteKey(ctx context.Context, provider string) error {
	q, workspace := queries(ctx, m.DB)
	_, err := q.DeleteModelKey(ctx, conversationsdb.DeleteModelKeyParams{WorkspaceID: workspace, Provider: provider})
	if postgres.IsMissing(err) {
		return ports.ErrModelKeyNotFound
	}
	if err != nil {
		return fmt.Errorf("delete a key for models: %w", err)
	}
	return nil
}

// sealedFor returns the additional data of a sealed key: a key that is moved to another row cannot be opened there.
func sealedFor(workspace uuid.UUID, provider string) []byte {
	return append(workspace[:], provider...)
}

func toDefaults(model *string, fallbacks []string) domain.ModelDefaults {
	d := domain.ModelDefaults{Fallbacks: fallbacks}
	if model != nil {
		d.Model = *model
	}
	return d
}
