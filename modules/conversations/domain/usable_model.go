package domain

import "time"

// KeySource is whose key a provider is called with.
type KeySource string

// The sources of keys.
const (
	OperatorKey KeySource = "operator"
	OwnKey      KeySource = "own_key" // of the workspace; it replaces the operator's for its provider
)

// UsableModel is a model that a workspace can name in settings.
type UsableModel struct {
	ModelName
	Source KeySource
	ModelFacts
}

// ModelFacts is the known data of a model.
type ModelFacts struct {
	Window int          // tokens; 0: unknown
	Prices *ModelPrices // nil: unknown
}

// ModelPrices are the prices of a million tokens of a model, in millionths of the operator's currency.
type ModelPrices struct {
	Input, Output int64
	Cached        *int64 // nil: cached input has the price of other input
}

// ListFailure is the reason why models of a provider are missing from a list.
type ListFailure struct {
	Provider      string
	Source        KeySource
	Code, Message string
}

// KeyTest is the result of calling a provider with a key.
type KeyTest struct {
	Code, Message, ProviderCode string // empty where the key works
	Latency                     time.Duration
}

// OK reports whether the key works.
func (k KeyTest) OK() bool { return k.Code == "" }
