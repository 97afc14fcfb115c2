// Package rerank calls a reranking model as Cohere, Jina, vLLM and others serve it: POST …/rerank.
package rerank

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/modelapi"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// Server calls one server. It is safe for concurrent use.
type Server struct {
	URL, Key, Model string // no key: the server wants none
	Client          *http.Client
	Guard           *resilience.Group // is put around each call
}

var _ ports.Reranker = Server{}

const maxAnswer = 1 << 20 // bytes that are read of an answer

var errNotScores = errors.New("the reranking model sent no scores of the texts")

type request struct {
	Model     string   `json:"model"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"`
	TopN      int      `json:"top_n"`
}

type answer struct {
	Results []struct {
		Index int      `json:"index"`
		Score *float64 `json:"relevance_score"`
	} `json:"results"`
}

// Rerank makes one call. Workspaces are sources of the guard, so that failures of one workspace do not affect others.
func (s Server) Rerank(ctx context.Context, query string, texts []string) (scores []*float64, err error) {
	source := callctx.From(ctx).Principal.WorkspaceID.String()
	err = s.Guard.For(source).DoSafe(ctx, "rerank", func(ctx context.Context) (err error) {
		scores, err = s.ask(ctx, query, texts)
		return err
	})
	switch {
	case err == nil:
		return scores, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, ports.ErrRerankAway.Because(err)
}

func (s Server) ask(ctx context.Context, query string, texts []string) ([]*float64, error) {
	target, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	target = target.JoinPath("rerank") // its query stays
	body, err := json.Marshal(request{Model: s.Model, Query: query, Documents: texts, TopN: len(texts)})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.Key != "" {
		req.Header.Set(modelapi.KeyHeader(target, s.Key))
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the reranking model: %w", webhook.Why(err))
	}
	defer func() { _ = res.Body.Close() }() // what was read counts
	if res.StatusCode != http.StatusOK {
		return nil, resilience.Status(res.StatusCode, webhook.RetryAfter(res, time.Now()), fmt.Errorf("the reranking model answered %d", res.StatusCode))
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("the reranking model: %w", webhook.Why(err))
	}
	return read(raw, len(texts))
}

// read reads an answer about so many texts.
func read(raw []byte, texts int) ([]*float64, error) {
	var sent answer
	if json.Unmarshal(raw, &sent) != nil || len(sent.Results) == 0 {
		return nil, errNotScores
	}
	scores := make([]*float64, texts)
	for _, r := range sent.Results {
		if r.Index < 0 || r.Index >= texts || r.Score == nil || scores[r.Index] != nil {
			return nil, errNotScores
		}
		scores[r.Index] = r.Score
	}
	return scores, nil
}
