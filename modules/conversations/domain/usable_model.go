package domain

import "time"

// KeySource says whose key a provider is asked with.
type KeySource string

// The sources of keys.
const (
	OperatorKey KeySource = "operator"
	OwnKey      KeySource = "own_key" // of the workspace; it takes the place of the operator's for its provider
)

// UsableModel is a model that a workspace can name in settings.
type UsableModel struct {
	ModelName
	Source KeySource
	ModelFacts
}

// ModelFacts is what is known of a model.
type ModelFacts struct {
	Window int          // tokens; 0: not known
	Prices *ModelPrices // nil: not known
}

// ModelPrices are what a million tokens of a model cost, in millionths of the operator's currency.
type ModelPrices struct {
	Input, Output int64
	Cached        *int64 // nil: cached input costs what other input costs
}

// ListFailure says why models of a provider are missing from a list.
type ListFailure struct {
	Provider      string
	Source        KeySource
	Code, Message string
}

// KeyTest is what came of asking a provider with a key.
type KeyTest struct {
	Code, Message, ProviderCode string // empty where the key works
	Latency                     time.Duration
}

// OK reports whether the key works.
func (k KeyTest) OK() bool { return k.Code == "" }
