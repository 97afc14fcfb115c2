package embeddings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/modelapi"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

// ask makes one call. Its errors are marked for the guard.
func (s Server) ask(ctx context.Context, model string, texts []string) ([][]float32, ports.EmbeddingUsage, error) {
	var none ports.EmbeddingUsage
	body, err := s.post(ctx, model, texts)
	if err != nil {
		return nil, none, s.failure(ctx, err, model, texts)
	}
	defer func() { _ = body.Close() }() // what was read counts
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer(len(texts))+1))
	switch {
	case err != nil:
		return nil, none, s.failure(ctx, err, model, texts)
	case int64(len(raw)) > maxAnswer(len(texts)):
		return nil, none, errTooLarge
	}
	vectors, used, err := s.read(raw, texts)
	if e, ok := errors.AsType[*fail.Error](err); ok {
		err = resilience.Answered(e.With("model", model))
	}
	return vectors, used, err
}

// post sends the texts, and returns the body of the answer once its head has come and is no error.
func (s Server) post(ctx context.Context, model string, texts []string) (io.ReadCloser, error) {
	base := s.URL
	if base == "" {
		base = publicURL
	}
	target, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	options := []option.RequestOption{option.WithBaseURL(base), option.WithHTTPClient(s.Client), option.WithMaxRetries(0)}
	if s.Key != "" {
		options = append(options, option.WithHeader(modelapi.KeyHeader(target, s.Key)))
	}
	path := "embeddings"
	if target.RawQuery != "" { // as Azure wants it: ?api-version=2024-10-21
		path += "?" + target.RawQuery
	}
	params := sdk.EmbeddingNewParams{
		Model: model, Input: sdk.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts},
		EncodingFormat: sdk.EmbeddingNewParamsEncodingFormatFloat,
	}
	if s.Dimensions > 0 { // many servers refuse the parameter
		params.Dimensions = sdk.Int(int64(s.Dimensions))
	}
	api := sdk.Client{Options: options} // NewClient would read the environment
	var answer *http.Response
	err = api.Post(ctx, path, params, &answer)
	if _, known := errors.AsType[*sdk.Error](err); !known && answer != nil && answer.StatusCode > 299 { // also a redirect, which nobody follows
		if answer.StatusCode < 400 {
			_ = answer.Body.Close()
			answer.Body = http.NoBody
		}
		err = &sdk.Error{StatusCode: answer.StatusCode, Request: answer.Request, Response: answer}
	}
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// failure returns the error of a call that got no answer, in a form that may be stored and logged, and that counts
// correctly for the circuit breaker.
func (s Server) failure(ctx context.Context, err error, model string, texts []string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the embedding model did not answer: %w", context.Cause(ctx))
	}
	refusal, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		return fmt.Errorf("the embedding model: %w", webhook.Why(err))
	}
	raw, _ := io.ReadAll(refusal.Response.Body) // the library has already read it
	said := modelapi.ParseError(raw)
	text := fmt.Errorf("the embedding model answered %d %s", refusal.StatusCode, said.Code())
	permanent := permanentFailure(said.Meaning(refusal.StatusCode))
	if permanent == nil {
		return resilience.Status(refusal.StatusCode, webhook.RetryAfter(refusal.Response, time.Now()), text)
	}
	hidden := modelapi.Hidden{Key: s.Key, Texts: texts, Model: model}
	permanent = permanent.With("model", model).With("status", refusal.StatusCode)
	if code := said.Code(); code != "" && hidden.Clean(code) == code {
		permanent = permanent.With("provider_code", code)
	}
	account := errors.Is(permanent, ports.ErrEmbeddingCredentials) || errors.Is(permanent, ports.ErrEmbeddingQuota) // the operator's
	if message := hidden.Clean(said.Message()); message != "" && (s.Own != "" || !account) {
		permanent = permanent.With("provider_message", message)
	}
	return resilience.Answered(permanent.Because(text))
}

// permanentFailure returns the failure of a meaning; nil for one that may pass.
func permanentFailure(m modelapi.Meaning) *fail.Error {
	switch m {
	case modelapi.Credentials:
		return ports.ErrEmbeddingCredentials
	case modelapi.Quota:
		return ports.ErrEmbeddingQuota
	case modelapi.UnknownModel:
		return ports.ErrEmbeddingModelUnknown
	case modelapi.TooLong:
		return ports.ErrEmbeddingTooLong
	case modelapi.Rejected, modelapi.Filtered:
		return ports.ErrEmbeddingRejected
	default:
		return nil
	}
}

// answer is what is read of a response.
type answer struct {
	Data []struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
	Usage struct {
		PromptTokens int64 `json:"prompt_tokens"`
		TotalTokens  int64 `json:"total_tokens"`
	} `json:"usage"`
}

// read reads a response to these texts.
func (s Server) read(raw []byte, texts []string) ([][]float32, ports.EmbeddingUsage, error) {
	var sent answer
	if json.Unmarshal(raw, &sent) != nil {
		return nil, ports.EmbeddingUsage{}, errNotVectors
	}
	used := usage(sent, texts)
	if len(sent.Data) != len(texts) {
		return nil, used, errOtherTexts
	}
	vectors, seen := make([][]float32, len(texts)), make([]bool, len(texts))
	for _, d := range sent.Data {
		if d.Index < 0 || d.Index >= len(texts) || seen[d.Index] {
			return nil, used, errOtherTexts
		}
		if n := len(d.Embedding); n == 0 || n > maxDimensions || s.Dimensions > 0 && n != s.Dimensions {
			return nil, used, ports.ErrEmbeddingDimensions.With("dimensions", n)
		}
		vectors[d.Index], seen[d.Index] = unit(d.Embedding), true
	}
	return vectors, used, nil
}
