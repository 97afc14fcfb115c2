package usecases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// EmbedTexts makes vectors of texts that a caller sends. It stores nothing but what was used.
type EmbedTexts struct {
	Models ports.EmbeddingModels
	Costs  ports.EmbeddingCosts
}

// Texts is the input of EmbedTexts.
type Texts struct {
	Model      string // as knowledge bases name it
	Kind       ports.EmbeddingKind
	Texts      []string // at least one
	Single     bool     // the call has one text and no list
	Dimensions int      // that the caller expects; 0: any
}

// Do returns a vector for each text. Errors are ports.ErrNoSuchEmbeddingModel, those of ports.EmbeddingCosts and of
// ports.Embedder, and wrong fields: a text that the model makes nothing of, and another number of dimensions.
func (u EmbedTexts) Do(ctx context.Context, in Texts) ([][]float32, ports.EmbeddingUsage, error) {
	models, err := u.Models.Serving(ctx)
	if err != nil {
		return nil, ports.EmbeddingUsage{}, err
	}
	at := slices.IndexFunc(models, func(m ports.EmbeddingModel) bool { return m.Name == in.Model })
	if at < 0 {
		return nil, ports.EmbeddingUsage{}, ports.ErrNoSuchEmbeddingModel
	}
	for i, text := range in.Texts {
		if strings.TrimSpace(text) == "" {
			return nil, ports.EmbeddingUsage{}, in.wrong(i, "BLANK", "must not be blank")
		}
	}
	model := models[at]
	if err := u.Costs.Check(ctx, model, estimatedTokens(strings.Join(in.Texts, ""))); err != nil {
		return nil, ports.EmbeddingUsage{}, err
	}
	vectors, used, err := model.Embedder.Embed(ctx, model.Name, in.Kind, in.Texts)
	if counted := countUsage(context.WithoutCancel(ctx), u.Costs, model, used); counted != nil || err != nil {
		return nil, used, errors.Join(err, counted)
	}
	return vectors, used, in.checkVectors(vectors)
}

// checkVectors checks that there is a vector for each text, with the number of dimensions that is expected.
func (in Texts) checkVectors(vectors [][]float32) error {
	for i, v := range vectors {
		switch {
		case v == nil:
			return in.wrong(i, "INVALID", "has nothing that the model makes a vector of")
		case in.Dimensions != 0 && len(v) != in.Dimensions:
			return fail.Fields(fail.Field{
				Field: "dimensions", Code: "NOT_ALLOWED", Message: fmt.Sprintf("must be %d, which the model has here, or left out", len(v)),
			})
		}
	}
	return nil
}

// wrong returns an error about one of the texts.
func (in Texts) wrong(i int, code, message string) error {
	field := "input"
	if !in.Single {
		field = fmt.Sprintf("input.%d", i)
	}
	return fail.Fields(fail.Field{Field: field, Code: code, Message: message})
}
