// Package embeddings makes vectors of texts with OpenAI's embeddings API, which many other servers support too: Azure,
// Mistral, DashScope, Ollama, vLLM, llama.cpp, Text Embeddings Inference.
package embeddings

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// publicURL is the URL of OpenAI's public API.
const publicURL = "https://api.openai.com/v1"

// Server calls one server. It is safe for concurrent use.
type Server struct {
	URL, Key      string // no key: the server wants none; no URL: publicURL
	Dimensions    int    // that are asked for; 0: those of the model
	Batch         int    // texts that are sent in one call at most
	QueryPrefix   string // is put before each query
	PassagePrefix string // is put before each passage
	Client        *http.Client
	Guard         *resilience.Group // is put around each call
	Own           string            // the space of its vectors, where it is of a workspace; empty: it is the operator's
}

var _ ports.Embedder = Server{}

// maxName is how many bytes of a model's name distinguish targets of the guard.
const maxName = 200

// Embed sends the texts in batches, as specified by ports.Embedder. A batch that is too large for the server is halved,
// down to a single text.
func (s Server) Embed(ctx context.Context, model string, kind ports.EmbeddingKind, texts []string) ([][]float32, ports.EmbeddingUsage, error) {
	var usage ports.EmbeddingUsage
	vectors, size := make([][]float32, 0, len(texts)), max(1, s.Batch)
	for rest := s.prefixed(kind, texts); len(rest) > 0; {
		size = min(size, len(rest))
		some, used, err := s.guarded(ctx, model, rest[:size])
		usage = usage.Plus(used)
		switch {
		case err != nil && size > 1 && isTooMuch(err):
			size /= 2
			continue
		case err != nil:
			return nil, usage, err
		}
		vectors, rest = append(vectors, some...), rest[size:]
	}
	if !sameDimensions(vectors) {
		return nil, usage, ports.ErrEmbeddingsAway.Because(errDimensionsDiffer)
	}
	return vectors, usage, nil
}

func (s Server) prefixed(kind ports.EmbeddingKind, texts []string) []string {
	prefix := s.PassagePrefix
	if kind == ports.Query {
		prefix = s.QueryPrefix
	}
	if prefix == "" {
		return texts
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = prefix + text
	}
	return out
}

// isTooMuch reports whether an error may be due to the number of texts, or to the length of all texts together. Servers
// say it with 400 or 413, each in words of its own, and OpenAI with 429 where it never fits.
func isTooMuch(err error) bool {
	status, _ := fail.From(err).Details["status"].(int)
	return errors.Is(err, ports.ErrEmbeddingTooLong) ||
		errors.Is(err, ports.ErrEmbeddingRejected) && slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, status)
}

// guarded makes one call, and repeats it as the guard allows. What fails at a workspace's own server is of that tenant.
func (s Server) guarded(ctx context.Context, model string, texts []string) (vectors [][]float32, used ports.EmbeddingUsage, err error) {
	source, target := s.target(ctx, model)
	err = s.Guard.For(source).DoSafe(ctx, target, func(ctx context.Context) (err error) {
		vectors, used, err = s.ask(ctx, model, texts)
		return err
	})
	switch {
	case err == nil, ports.PermanentEmbeddingFailure(err):
		return vectors, used, s.ofTenant(unmarked(err))
	case ctx.Err() != nil:
		return nil, used, context.Cause(ctx)
	}
	away := ports.ErrEmbeddingsAway.Because(err)
	if e, ok := errors.AsType[*fail.Error](err); ok && e.RetryAfter > away.RetryAfter {
		away = away.After(e.RetryAfter)
	}
	return nil, used, s.ofTenant(away)
}

// ofTenant marks an error of a workspace's own server, so that it alerts nobody else.
func (s Server) ofTenant(err error) error {
	if e, ok := errors.AsType[*fail.Error](err); ok && s.Own != "" {
		return e.OfTenant()
	}
	return err
}

// unmarked returns the failure without the marks that were for the guard.
func unmarked(err error) error {
	if e, ok := errors.AsType[*fail.Error](err); ok {
		return e
	}
	return err
}
