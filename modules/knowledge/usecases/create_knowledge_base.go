package usecases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// CreateKnowledgeBase creates a knowledge base without documents.
type CreateKnowledgeBase struct {
	Bases  ports.KnowledgeBases
	Models ports.EmbeddingModels
	Now    func() time.Time
}

// Do fails with LIMIT_REACHED where the workspace may not have one more.
func (u CreateKnowledgeBase) Do(ctx context.Context, workspace, by uuid.UUID, a domain.BaseAttributes) (domain.KnowledgeBase, error) {
	base, wrong := domain.NewKnowledgeBase(workspace, by, a, u.Now())
	unserved, err := checkModel(ctx, u.Models, a.EmbeddingModel)
	if err != nil {
		return domain.KnowledgeBase{}, err
	}
	wrong = append(wrong, unserved...)
	if len(wrong) > 0 {
		return domain.KnowledgeBase{}, invalid(wrong...)
	}
	return base, u.Bases.Create(ctx, base)
}

// checkModel returns the error for an embedding model that does not serve the workspace.
func checkModel(ctx context.Context, models ports.EmbeddingModels, c domain.ModelChoice) ([]domain.WrongField, error) {
	if !c.Chosen || c.Model == nil {
		return nil, nil
	}
	list, err := models.Serving(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	switch {
	case slices.Contains(names, *c.Model):
		return nil, nil
	case len(names) == 0:
		return []domain.WrongField{{Field: "embedding_model", Err: errNoModels}}, nil
	}
	return []domain.WrongField{{Field: "embedding_model", Err: fmt.Errorf("must be null or one of: %s; or set a model of your own by PUT /v1/model-keys/embedding", strings.Join(names, ", "))}}, nil
}

var errNoModels = errors.New("must be null: this server has no embedding model, and searches by words; set one of your own by PUT /v1/model-keys/embedding, or ask whoever operates this server to set EMBEDDING_MODEL")

// invalid returns the error for wrong fields.
func invalid(wrong ...domain.WrongField) error {
	fields := make([]fail.Field, len(wrong))
	for i, w := range wrong {
		fields[i] = fail.Field{Field: w.Field, Code: "INVALID", Message: w.Err.Error()}
	}
	return fail.Fields(fields...)
}
