package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// The providers of models.
const (
	Echo      = "echo" // no model at all: it repeats the message
	OpenAI    = "openai"
	Anthropic = "anthropic"
)

// UnknownProvider is stored for settings that name a model without a provider.
const UnknownProvider = "unknown"

// ModelName is a provider, and the provider's name of the model.
type ModelName struct{ Provider, Name string }

// ErrModelName states what the name of a model must be.
var ErrModelName = errors.New("must be provider/name with the provider openai or anthropic, such as openai/gpt-4o-mini, or echo")

// ParseModel reads a name in the form that settings have. Only the provider interprets the text after the first slash.
func ParseModel(text string) (ModelName, error) {
	provider, name, found := strings.Cut(text, "/")
	if !found && provider == Echo {
		name = Echo
	}
	if !slices.Contains([]string{Echo, OpenAI, Anthropic}, provider) || strings.TrimSpace(name) == "" {
		return ModelName{}, ErrModelName
	}
	return ModelName{provider, name}, nil
}

// WrongModelError means that the settings name a model in a form that no provider has. It wraps ErrModelName.
type WrongModelError struct {
	Name string // as the settings have it
	err  error
}

func (e WrongModelError) Error() string { return fmt.Sprintf("the model %q: %v", e.Name, e.err) }

// Unwrap returns ErrModelName.
func (e WrongModelError) Unwrap() error { return e.err }

// String returns the name as settings have it.
func (m ModelName) String() string {
	switch m.Provider {
	case Echo:
		return Echo
	case UnknownProvider:
		return m.Name
	default:
		return m.Provider + "/" + m.Name
	}
}

// ModelDefaults are the defaults of a workspace, for bots whose settings name no model. Empty and nil fields are no
// default.
type ModelDefaults struct {
	Model     string
	Fallbacks []string
}

// Choice is which models may answer a turn, in the order in which they are asked, and their parameters. A name that no
// provider can have is among them under UnknownProvider: it counts as a model that is not available.
type Choice struct {
	Models          []ModelName
	Temperature     *float64 // nil: the model's default
	MaxOutputTokens *int     // nil: the model's default
	HistoryLimit    int      // earlier messages in its prompt, at most
	// RequestParameters are the parameters that callers may set.
	RequestParameters []string
}

// defaultHistory is how many earlier messages a prompt has where the bot sets no limit.
const defaultHistory = 20

// Choose reads the settings of a bot's version. Where they name no model it uses the workspace's default, and where
// there is none, last.
func Choose(settings json.RawMessage, workspace ModelDefaults, last ModelName) (Choice, error) {
	var of struct {
		Model           string    `json:"model"`
		Temperature     *float64  `json:"temperature"`
		MaxOutputTokens *float64  `json:"max_output_tokens"` // whole numbers; clients may write them as 7.0
		HistoryLimit    *float64  `json:"history_limit"`
		Fallbacks       *[]string `json:"fallbacks"`

		RequestParameters []string `json:"request_parameters"`
	}
	if len(settings) > 0 {
		if err := jsonv2.Unmarshal(settings, &of); err != nil { // case-sensitive: Model is a key of the client's own
			return Choice{}, fmt.Errorf("the bot's settings: %w", err)
		}
	}
	c := Choice{Temperature: of.Temperature, HistoryLimit: defaultHistory, RequestParameters: of.RequestParameters}
	if of.MaxOutputTokens != nil {
		limit := int(*of.MaxOutputTokens)
		c.MaxOutputTokens = &limit
	}
	if of.HistoryLimit != nil {
		c.HistoryLimit = int(*of.HistoryLimit)
	}
	names := []string{of.Model, workspace.Model, last.String()}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })[:1]
	if of.Fallbacks != nil {
		names = append(names, *of.Fallbacks...)
	} else {
		names = append(names, workspace.Fallbacks...)
	}
	for _, text := range names {
		m, err := ParseModel(text)
		if err != nil {
			m = ModelName{UnknownProvider, text}
		}
		if !slices.Contains(c.Models, m) {
			c.Models = append(c.Models, m)
		}
	}
	if !slices.ContainsFunc(c.Models, func(m ModelName) bool { return m.Provider != UnknownProvider }) {
		return Choice{}, WrongModelError{Name: names[0], err: ErrModelName}
	}
	return c, nil
}
