package usecases

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// EmbedDocument makes vectors of the chunks of a generation of a document and stores them, in batches that are committed one
// by one. A text that was embedded before in the workspace is not sent again.
type EmbedDocument struct {
	Models       ports.EmbeddingModels
	Progress     ports.EmbeddingProgress
	Builds       ports.Builds
	Records      ports.VectorRecords
	Vectors      ports.Vectors
	Cache        ports.EmbeddingCache
	Costs        ports.EmbeddingCosts
	Transactions ports.Transactions
	Now          func() time.Time
	Reach        func(point string)
}

// embedBatch is how many chunks are embedded and stored between two commits.
const embedBatch = 40

// Do embeds chunks until a time, and reports whether all of the generation have a vector. It is not current where it is not
// built any more, or another process goes on with it. What may pass is recorded in the document as the reason why it waits, and
// returned.
func (u EmbedDocument) Do(ctx context.Context, b ports.Build, total int, until time.Time) (done, current bool, err error) {
	from, current, err := u.begin(ctx, b, total)
	for err == nil && current && from < total {
		if u.Now().After(until) {
			return false, true, nil
		}
		from, current, err = u.embedSome(ctx, b, from)
		u.Reach("embedding")
	}
	if e, ok := errors.AsType[*fail.Error](err); ok && mayWait(e) {
		return false, true, errors.Join(err, u.Progress.SetWaiting(ctx, b.ID, b.Building, domain.BuildError{Code: e.Code, Message: e.Message}, u.Now()))
	}
	return err == nil && current, current, err
}

// mayWait reports whether a document waits until an error has passed.
func mayWait(e *fail.Error) bool {
	return errors.Is(e, ports.ErrEmbeddingsAway) || errors.Is(e, ports.ErrVectorsAway) || errors.Is(e, fail.ErrLimitReached) || errors.Is(e, fail.ErrEmailNotVerified)
}

// begin returns how many chunks have a vector already.
func (u EmbedDocument) begin(ctx context.Context, b ports.Build, total int) (from int, current bool, err error) {
	at := domain.StageChunk
	if isEmbedding(b) {
		at = domain.StageEmbed
	}
	err = u.Transactions.Write(ctx, func(ctx context.Context) error {
		from, current, err = u.Builds.Lock(ctx, b.ID, b.Building, at)
		if err != nil || !current {
			return err
		}
		if !isEmbedding(b) {
			from = 0
			if err := u.Progress.SetEmbedded(ctx, b.ID, 0, u.Now()); err != nil {
				return err
			}
		}
		return u.Builds.SetStage(ctx, b.ID, domain.Embedding, domain.StageEmbed, &total, u.Now())
	})
	return from, current, err
}

// isEmbedding reports whether the chunks of the generation are stored, and vectors are made of them.
func isEmbedding(b ports.Build) bool { return b.Stage != nil && *b.Stage == domain.StageEmbed }

// embedSome embeds the next chunks, stores their vectors, and then records that.
func (u EmbedDocument) embedSome(ctx context.Context, b ports.Build, from int) (next int, current bool, err error) {
	chunks, err := u.Progress.ChunksOf(ctx, b.ID, b.Building, from, embedBatch)
	if err != nil {
		return from, true, err
	}
	if len(chunks) == 0 { // somebody has removed them: it is not built any more
		return from, false, nil
	}
	model, err := serving(ctx, u.Models, *b.EmbeddingModel)
	if err != nil {
		return from, true, err
	}
	made, err := u.vectors(ctx, model, chunks)
	if err != nil {
		return from, true, errors.Join(err, countUsage(ctx, u.Costs, model, made.usage))
	}
	if len(made.list) == 0 { // the model makes nothing of any of them
		if err := countUsage(ctx, u.Costs, model, made.usage); err != nil {
			return from, true, err
		}
	}
	set := ports.VectorSet{DocumentID: b.ID, Generation: b.Building, BaseID: b.BaseID, VectorSpace: ports.VectorSpace{Model: model.Space, Dimensions: made.dimensions}}
	if len(made.list) > 0 {
		recorded, current, err := u.record(ctx, model, set, made)
		if err != nil || !current {
			return from, current, err
		}
		if recorded != set.VectorSpace { // somebody has changed what serves the model
			set.VectorSpace = recorded
			return 0, true, u.startOver(ctx, set)
		}
		if err := u.Vectors.Store(ctx, set, made.list); err != nil {
			return from, true, err
		}
	}
	next = chunks[len(chunks)-1].Ordinal + 1
	err = u.Transactions.Write(ctx, func(ctx context.Context) error {
		_, current, err = u.Builds.Lock(ctx, b.ID, b.Building, domain.StageEmbed)
		if err != nil || !current {
			return err
		}
		return u.Progress.SetEmbedded(ctx, b.ID, next, u.Now())
	})
	return next, current, err
}

// record stores, before the vectors, where they will be, and what they have cost. It returns the space in which the generation
// already has vectors, if it has any. Of a generation that is not current nothing is kept: its file may be erased by now.
func (u EmbedDocument) record(ctx context.Context, model ports.EmbeddingModel, set ports.VectorSet, made madeVectors) (there ports.VectorSpace, current bool, err error) {
	err = u.Transactions.Write(ctx, func(ctx context.Context) error {
		err := u.Costs.Count(ctx, model, made.usage)
		if err != nil {
			return err
		}
		if _, current, err = u.Builds.Lock(ctx, set.DocumentID, set.Generation, domain.StageEmbed); err != nil || !current {
			return err
		}
		if err := u.Cache.Keep(ctx, made.fresh, u.Now()); err != nil {
			return err
		}
		there, err = u.Records.Record(ctx, set, u.Now())
		return err
	})
	return there, current, err
}

// startOver removes the vectors of a generation, as its chunks are embedded in another space than the first of them were.
func (u EmbedDocument) startOver(ctx context.Context, set ports.VectorSet) error {
	if err := u.Vectors.Remove(ctx, set); err != nil {
		return err
	}
	return u.Transactions.Write(ctx, func(ctx context.Context) error {
		if _, current, err := u.Builds.Lock(ctx, set.DocumentID, set.Generation, domain.StageEmbed); err != nil || !current {
			return err
		}
		return errors.Join(u.Records.Unrecord(ctx, set), u.Progress.SetEmbedded(ctx, set.DocumentID, 0, u.Now()))
	})
}

// serving returns the model that serves a name now, or ErrEmbeddingModelUnknown.
func serving(ctx context.Context, models ports.EmbeddingModels, name string) (ports.EmbeddingModel, error) {
	list, err := models.Serving(ctx)
	if err != nil {
		return ports.EmbeddingModel{}, err
	}
	i := slices.IndexFunc(list, func(m ports.EmbeddingModel) bool { return m.Name == name })
	if i < 0 {
		return ports.EmbeddingModel{}, ports.ErrEmbeddingModelUnknown.With("model", name)
	}
	return list[i], nil
}

// madeVectors are vectors of chunks.
type madeVectors struct {
	list       []ports.ChunkVector // without those of chunks that the model makes nothing of
	fresh      map[ports.TextHash][]float32
	usage      ports.EmbeddingUsage
	dimensions int
}

const charactersPerToken = 4 // for the check before a call

func estimatedTokens(text string) int64 {
	return int64(utf8.RuneCountInString(text)/charactersPerToken) + 1
}

// countUsage counts what was used; nothing where that is 0.
func countUsage(ctx context.Context, costs ports.EmbeddingCosts, m ports.EmbeddingModel, used ports.EmbeddingUsage) error {
	if used.Tokens == 0 {
		return nil
	}
	return costs.Count(ctx, m, used)
}

// vectors makes the vectors of chunks, or finds them in the cache.
func (u EmbedDocument) vectors(ctx context.Context, model ports.EmbeddingModel, chunks []ports.StoredChunk) (made madeVectors, err error) {
	hashes := make([]ports.TextHash, len(chunks))
	for i, c := range chunks {
		hashes[i] = sha256.Sum256([]byte(model.Space + "\x00" + model.Settings + "\x00" + EmbeddedText(c.Chunk)))
	}
	known, err := u.Cache.Find(ctx, hashes)
	if err != nil {
		return made, err
	}
	var missing []string
	var places []int
	for i, c := range chunks {
		if known[hashes[i]] == nil {
			missing, places = append(missing, EmbeddedText(c.Chunk)), append(places, i)
		}
	}
	made.fresh = map[ports.TextHash][]float32{}
	if len(missing) > 0 {
		if err := u.Costs.Check(ctx, model, estimatedTokens(strings.Join(missing, ""))); err != nil {
			return made, err
		}
		var vectors [][]float32
		vectors, made.usage, err = model.Embedder.Embed(ctx, model.Name, ports.Passage, missing)
		if err != nil {
			return made, err
		}
		for i, v := range vectors {
			if v != nil {
				known[hashes[places[i]]], made.fresh[hashes[places[i]]] = v, v
			}
		}
	}
	for i, c := range chunks {
		v := known[hashes[i]]
		if v == nil {
			continue
		}
		if made.dimensions == 0 {
			made.dimensions = len(v)
		}
		if len(v) != made.dimensions {
			return made, ports.ErrEmbeddingDimensions.With("dimensions", len(v)).With("model", model.Name)
		}
		made.list = append(made.list, ports.ChunkVector{ChunkID: c.ID, Ordinal: c.Ordinal, Vector: v})
	}
	return made, nil
}

// EmbeddedText returns what a vector of a chunk is made of: its headings, the header of its table, and its text.
func EmbeddedText(c domain.Chunk) string {
	parts := make([]string, 0, 3)
	if len(c.Headings) > 0 {
		parts = append(parts, strings.Join(c.Headings, " > "))
	}
	if c.TableHeader != "" {
		parts = append(parts, c.TableHeader)
	}
	return strings.Join(append(parts, c.Text), "\n")
}

// secondRemoval is how long after the first one vectors are removed again: a worker that was late may have stored some.
const secondRemoval = 10 * time.Minute

// Remove removes the vectors of generations of a document before one, but not those of the generation to keep.
func (u EmbedDocument) Remove(ctx context.Context, document uuid.UUID, before, keep int) error {
	sets, err := u.Records.Of(ctx, document)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if s.Generation >= before || s.Generation == keep {
			continue
		}
		if err := u.Vectors.Remove(ctx, s); err != nil {
			return err
		}
		now := u.Now()
		if err := u.Records.MarkRemoved(ctx, s, now, now.Add(-secondRemoval)); err != nil {
			return err
		}
	}
	return nil
}
