package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ModelPrice is the price of a model in millionths of a currency unit per million tokens, nil if unknown, and the size
// of its context window in tokens, 0 if unknown.
type ModelPrice struct {
	Input  *int64 `json:"input"`
	Output *int64 `json:"output"`
	Cached *int64 `json:"cached"`
	Window int    `json:"window"`
}

const dearest = 1_000_000_000 // a thousand of the currency for a million tokens: sums stay far from overflowing

// ModelTable returns the parsed ModelPrices, by provider/name.
func (c *Config) ModelTable() map[string]ModelPrice { return c.prices }

// HasOpenAI reports whether the operator has configured an OpenAI key or server for all workspaces.
func (c *Config) HasOpenAI() bool { return c.OpenAIKey != "" || c.OpenAIURL != "" }

// HasAnthropic reports whether the operator has configured an Anthropic key for all workspaces.
func (c *Config) HasAnthropic() bool { return c.AnthropicKey != "" }

func (c *Config) checkModels(require func(ok bool, name string)) {
	provider, name, _ := strings.Cut(c.ModelDefault, "/")
	known := c.ModelDefault == "echo" || strings.TrimSpace(name) != "" &&
		(provider == "openai" && c.HasOpenAI() || provider == "anthropic" && c.HasAnthropic())
	require(known, "MODEL_DEFAULT")
	require(!slices.ContainsFunc(c.ModelAllow, func(s string) bool { return !modelPattern.MatchString(s) }), "MODEL_ALLOW")
	require(isVisible(c.OpenAIKey), "OPENAI_API_KEY")
	require(isVisible(c.AnthropicKey), "ANTHROPIC_API_KEY")
	require(isURL(c.OpenAIURL, "http", "https"), "OPENAI_BASE_URL")
	require(isURL(c.AnthropicURL, "http", "https"), "ANTHROPIC_BASE_URL")
	require(c.EncryptionKey == "" || len(c.EncryptionKey) >= 32, "ENCRYPTION_KEY")
	var err error
	c.prices, err = modelPrices(c.ModelPrices)
	require(err == nil, "MODEL_PRICES")
}

// Limits of the settings of embedding models.
const (
	maxEmbeddingModels = 8
	maxEmbeddingName   = 200 // bytes
	maxPrefix          = 500 // characters
	maxEmbeddingBatch  = 128
	maxDimensions      = 4096
)

// HasEmbeddings reports whether the operator has configured a server of embedding models.
func (c *Config) HasEmbeddings() bool { return len(c.EmbeddingModel) > 0 }

func (c *Config) checkEmbeddings(require func(ok bool, name string)) {
	require(isURL(c.EmbeddingURL, "http", "https"), "EMBEDDING_BASE_URL")
	require(isVisible(c.EmbeddingKey), "EMBEDDING_API_KEY")
	require(len(c.EmbeddingModel) <= maxEmbeddingModels && !slices.ContainsFunc(c.EmbeddingModel, func(s string) bool {
		return s == "" || len(s) > maxEmbeddingName || !isVisible(s)
	}), "EMBEDDING_MODEL")
	require(c.EmbeddingDims >= 0 && c.EmbeddingDims <= maxDimensions, "EMBEDDING_DIMENSIONS")
	require(c.EmbeddingBatch >= 1 && c.EmbeddingBatch <= maxEmbeddingBatch, "EMBEDDING_BATCH_SIZE")
	require(isPrefix(c.EmbeddingQuery), "EMBEDDING_QUERY_PREFIX")
	require(isPrefix(c.EmbeddingText), "EMBEDDING_PASSAGE_PREFIX")
	require(within(c.EmbeddingTime, time.Second, time.Minute), "EMBEDDING_TIMEOUT")
	require(isURL(c.RerankURL, "http", "https"), "RERANK_BASE_URL")
	require(isVisible(c.RerankKey), "RERANK_API_KEY")
	require(len(c.RerankModel) <= maxEmbeddingName && isVisible(c.RerankModel), "RERANK_MODEL")
}

func isPrefix(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxPrefix && !strings.ContainsRune(s, 0)
}

// modelPattern matches an item of MODEL_ALLOW.
var modelPattern = regexp.MustCompile(`^(echo|(openai|anthropic)/\S+)$`)

// isVisible reports whether a text can be the value of an HTTP header.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// modelPrices reads JSON, or the file that has it.
func modelPrices(text string) (table map[string]ModelPrice, err error) {
	raw := []byte(strings.TrimSpace(text))
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] != '{' {
		if raw, err = os.ReadFile(text); err != nil {
			return nil, err
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&table); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind it")
	}
	for _, p := range table {
		for _, price := range []*int64{p.Input, p.Output, p.Cached} {
			if price != nil && (*price < 0 || *price > dearest) {
				return nil, errors.New("a price is out of range")
			}
		}
		if p.Window < 0 || p.Window > 100_000_000 {
			return nil, errors.New("a window is out of range")
		}
	}
	return table, nil
}
