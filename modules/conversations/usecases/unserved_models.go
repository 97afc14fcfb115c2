package usecases

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// UnservedModels finds the names of models that no key serves in the caller's workspace.
type UnservedModels struct {
	Operator ports.OperatorModels
	Settings ports.ModelSettings
}

// CodeNotServed is the code of a warning about a model that no provider serves, and NotServed its message.
const CodeNotServed = "MODEL_NOT_SERVED"

// maxShownName is how many bytes of a name a message repeats at most.
const maxShownName = 100

// NotServed returns the message for a model that no key serves, with the remedy.
func NotServed(name string) string {
	if len(name) > maxShownName {
		name = strings.ToValidUTF8(name[:maxShownName], "") + "…"
	}
	return fmt.Sprintf("is saved, but nobody serves %s in this workspace, and turns with it fail: name one of GET /v1/models, or bring a key of its provider by PUT /v1/model-keys/{provider}", name)
}

// Do returns those of the names that neither the operator's keys nor the workspace's own keys serve, in their order and
// without empty ones. A workspace's own key serves all models of its provider. Keys are read only where they matter.
func (u UnservedModels) Do(ctx context.Context, names []string) ([]string, error) {
	var unserved []string
	var keys []domain.ModelKey
	for _, name := range names {
		if name == "" {
			continue
		}
		m, err := domain.ParseModel(name)
		if err == nil && u.Operator.Serves(m) {
			continue
		}
		if err == nil {
			if keys == nil {
				if keys, err = u.Settings.Keys(ctx); err != nil {
					return nil, err
				}
			}
			if slices.ContainsFunc(keys, func(k domain.ModelKey) bool { return k.Provider == m.Provider }) {
				continue
			}
		}
		unserved = append(unserved, name)
	}
	return unserved, nil
}

// providerOf returns the provider in a name or pattern.
func providerOf(name string) string {
	provider, _, _ := strings.Cut(name, "/")
	return provider
}
