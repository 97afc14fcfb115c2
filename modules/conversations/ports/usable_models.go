package ports

import (
	"context"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/fail"
)

// ErrModelList is why the models of a workspace's own key are not listed where the provider may answer later.
var ErrModelList = fail.New(fail.Unavailable, "DOWNSTREAM_UNAVAILABLE", "the provider did not list its models")

// OperatorModels knows what the operator's keys serve, and what the operator says of models.
type OperatorModels interface {
	// Offered returns the models that are known by name, in order, and patterns such as openai/gpt-4o*, of which any other
	// name is served too.
	Offered() (models []domain.ModelName, patterns []string)
	Serves(m domain.ModelName) bool
	Facts(m domain.ModelName) domain.ModelFacts
}

// OwnKeys reads the workspace's own keys for providers, opened.
type OwnKeys interface {
	// OwnKeys returns them by provider.
	OwnKeys(ctx context.Context) (map[string]Access, error)
}

// Providers asks the providers of models with a workspace's own key, apart from turns.
type Providers interface {
	// List returns what the provider calls its models, as many as a list may have; cut says that there are more. What it
	// returned may be some minutes old.
	List(ctx context.Context, provider string, own Access) (names []string, cut bool, err error)
	// Try makes one call that shows whether the key works: it lists the models, or where one is named asks that one for a
	// few tokens. Its errors are those of Model.Reply.
	Try(ctx context.Context, provider, model string, own Access) error
}

// TestLimits bounds how often the keys of a workspace are tested; it returns RATE_LIMIT_EXCEEDED.
type TestLimits interface {
	Allow(ctx context.Context, key string) error
}
