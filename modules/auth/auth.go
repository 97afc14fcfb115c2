// Package auth is the face of the auth module: users, workspaces, sessions. Other modules and the gateway use what is
// here and nothing behind it.
package auth

import (
	"context"

	"github.com/parley/parley/platform/call"
)

// Authenticator finds out whose access token it is; fail.ErrUnauthorized for a bad one. Whether the session still
// lives, the database says when the first transaction of the call is entered.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (call.Principal, error)
}
