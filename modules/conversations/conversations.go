// Package conversations is the public interface of the conversations module for other modules.
package conversations

import "context"

// Models reports which models are available in the caller's workspace.
type Models interface {
	// Warn returns a warning, by the name, for each name of a model that nobody serves, with a key of the operator's or the
	// workspace's own.
	Warn(ctx context.Context, names []string) (map[string]Warning, error)
}

// Warning describes a value that is stored as it is and is probably a mistake.
type Warning struct{ Code, Message string }
