// Package inproc lets the other modules of the process call conversations.
package inproc

import (
	"context"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/conversations/usecases"
)

var _ conversations.Models = Models{}

// Models reports which models are available in the caller's workspace.
type Models struct{ Unserved usecases.UnservedModels }

// Warn returns a warning for each name of a model that no key serves.
func (m Models) Warn(ctx context.Context, names []string) (map[string]conversations.Warning, error) {
	unserved, err := m.Unserved.Do(ctx, names)
	if err != nil || len(unserved) == 0 {
		return nil, err
	}
	warnings := map[string]conversations.Warning{}
	for _, name := range unserved {
		warnings[name] = conversations.Warning{Code: usecases.CodeNotServed, Message: usecases.NotServed(name)}
	}
	return warnings, nil
}
