package usecases

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

// ChangeEmbeddingKey sets and deletes the workspace's own server of an embedding model. Documents of the bases whose vectors
// another server makes from then on are indexed anew in the same transaction.
type ChangeEmbeddingKey struct {
	Keys     ports.EmbeddingKeys
	Models   ports.EmbeddingModels
	Bases    ports.BasesOfModels
	Schedule ports.Schedule
	CheckURL func(raw string) error // the error is shown to the caller
	Now      func() time.Time
}

// EmbeddingKeyInput is the input of ChangeEmbeddingKey.Put.
type EmbeddingKeyInput struct {
	Secret, Model string
	BaseURL       *string // nil: OpenAI's public API
	Dimensions    *int    // nil: those of the model
}

// Put stores the server in place of the former one, or returns the wrong fields. The key is not shown again.
func (u ChangeEmbeddingKey) Put(ctx context.Context, in EmbeddingKeyInput) (domain.EmbeddingKey, error) {
	key, wrong := domain.NewEmbeddingKey(in.Secret, in.Model, in.BaseURL, in.Dimensions, u.Now())
	if in.BaseURL != nil {
		if err := u.CheckURL(*in.BaseURL); err != nil {
			wrong = append(wrong, domain.WrongField{Field: "base_url", Err: err})
		}
	}
	if len(wrong) > 0 {
		return domain.EmbeddingKey{}, invalid(wrong...)
	}
	return key, u.change(ctx, key.Model, func() error { return u.Keys.Put(ctx, key) })
}

// Delete returns ErrEmbeddingKeyNotFound where there is none. Bases that name its model are then served by the operator's of
// the same name, or searched by words.
func (u ChangeEmbeddingKey) Delete(ctx context.Context) (domain.EmbeddingKey, error) {
	key, err := u.Keys.Get(ctx)
	if err != nil {
		return domain.EmbeddingKey{}, err
	}
	return key, u.change(ctx, key.Model, func() error { return u.Keys.Delete(ctx) })
}

// change makes a change after which another server may serve the former model and another one.
func (u ChangeEmbeddingKey) change(ctx context.Context, model string, change func() error) error {
	if err := u.Keys.Lock(ctx); err != nil {
		return err
	}
	names := []string{model}
	former, err := u.Keys.Get(ctx)
	switch {
	case err == nil:
		names = append(names, former.Model)
	case !errors.Is(err, ports.ErrEmbeddingKeyNotFound):
		return err
	}
	before, err := u.Models.Serving(ctx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := u.Models.Serving(ctx)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		space := spaceOf(after, name)
		return space == "" || space == spaceOf(before, name)
	})
	if len(names) == 0 {
		return nil
	}
	bases, err := u.Bases.LockOfModels(ctx, names)
	for _, b := range bases {
		err = errors.Join(err, u.Schedule.BuildAll(ctx, b.ID, domain.BuildOptions{Chunks: b.Chunks, Reuse: true}, u.Now()))
	}
	return err
}

// spaceOf returns the space of the vectors of a model; empty where it is not served.
func spaceOf(models []ports.EmbeddingModel, name string) string {
	for _, m := range models {
		if m.Name == name {
			return m.Space
		}
	}
	return ""
}
