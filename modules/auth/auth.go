// Package auth is the public interface of the auth module: users, workspaces, sessions. Other modules and the gateway
// use only what is declared here.
package auth

import (
	"context"

	"github.com/parley/parley/platform/call"
)

// Authenticator finds the principal of an access token. It returns fail.ErrUnauthorized for a bad token. It does not
// check that the session is still alive: the database does, when the first transaction of the call begins.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (call.Principal, error)
}
