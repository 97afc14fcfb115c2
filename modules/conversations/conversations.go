// Package conversations is the face of the conversations module: what other modules may ask of it.
package conversations

import "context"

// Models knows which models answer in the caller's workspace.
type Models interface {
	// Warn returns a warning, by the name, for each name of a model that nobody serves, with a key of the operator's or the
	// workspace's own.
	Warn(ctx context.Context, names []string) (map[string]Warning, error)
}

// Warning says what is likely wrong with something that is stored all the same.
type Warning struct{ Code, Message string }
