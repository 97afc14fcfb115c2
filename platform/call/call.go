// Package call holds what is known of the call that is being served: who calls, under which operation and trace.
// The gateway makes it, the layers beneath read it from the context. Background work makes its own.
package call

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Call is one call in progress. It is written by the gateway only, before the use case runs.
type Call struct {
	TraceID   string
	Principal Principal
	Operation Operation
	Needs     Needs
	IP        netip.Addr // of the client; invalid where unknown
	UserAgent string
	// Familiar reports whether the device, or somebody from the network of the client, has logged in before, to any
	// account.
	Familiar bool
	// DeviceToken is what the client sent of an earlier log-in, a secret; "" where it sent none.
	DeviceToken string
	// Outside is how long the call has waited for other systems, such as models, in nanoseconds; nil: nobody measures it.
	// It is written wherever such a wait ends, by any goroutine of the call.
	Outside *atomic.Int64
	// TraceGiven says that the trace id is one that the client brought.
	TraceGiven bool
}

// Waited adds the time that the call of the context has waited for another system.
func Waited(ctx context.Context, d time.Duration) {
	if c := From(ctx); c.Outside != nil {
		c.Outside.Add(int64(d))
	}
}

// Principal is who acts, and in which workspace. The zero Principal is nobody.
type Principal struct {
	WorkspaceID uuid.UUID
	UserID      uuid.UUID
	// KeyID names the API key that acts in place of a user; UserID and SessionID are the same then. The zero id: a user acts.
	KeyID uuid.UUID
	// SessionID names the session, or API key, that the database checks at the start of every transaction. The zero id means
	// that the right to the workspace is settled already: work that goes on after the first transaction, log-in, jobs.
	SessionID uuid.UUID
	// HomeID is the workspace of the access token, which X-Workspace-Id does not change: the session is looked for there and nowhere
	// else. The zero id with a SessionID: the user is in no workspace.
	HomeID uuid.UUID
}

// Needs is what the database holds the principal to at the start of every transaction, unless its right is settled.
type Needs struct {
	Roles   []string // one of them; none: any member
	Deleted bool     // the workspace may be deleted
	Keys    Keys     // which API keys may
}

// Keys says which API keys may make a call.
type Keys string

// The zero Keys is none.
const (
	AnyKey   Keys = "any"
	WholeKey Keys = "whole" // not those that are limited to some bots
)

// Operation is what makes a retry safe: the id that the client gave (or was given), and a fingerprint of the request.
type Operation struct {
	ID          uuid.UUID
	Given       bool   // the id is the client's
	Fingerprint []byte // HMAC-SHA-256 over method, path, query and body; Completed adds a body that is streamed
	// Earlier is the fingerprint of version 1, nil where it is the same: a release that stored it took the bytes of a JSON
	// body as they came.
	Earlier []byte
	// Former are the fingerprints under former keys: an operation that was stored before the key was changed has one of them.
	Former []FormerFingerprint
}

// FormerFingerprint is a fingerprint under a former key, and that of version 1.
type FormerFingerprint struct{ Fingerprint, Earlier []byte }

// FingerprintVersion is the version of Fingerprint: 2 is over the body in canonical JSON (RFC 8785 for order and spacing;
// numbers keep their text), 1 was over its bytes.
const FingerprintVersion = 2

// SameRequest reports whether a fingerprint that was stored under a version is that of this call's request.
func (o Operation) SameRequest(stored []byte, version int) bool {
	same := func(fingerprint, earlier []byte) bool {
		if version < FingerprintVersion && earlier != nil {
			return hmac.Equal(stored, earlier)
		}
		return hmac.Equal(stored, fingerprint)
	}
	found := same(o.Fingerprint, o.Earlier)
	for _, former := range o.Former {
		found = same(former.Fingerprint, former.Earlier) || found
	}
	return found
}

type key struct{}

// With puts a call into a context.
func With(ctx context.Context, c *Call) context.Context { return context.WithValue(ctx, key{}, c) }

// From gives the call of a context; outside any call an empty one.
func From(ctx context.Context) *Call {
	if c, ok := ctx.Value(key{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// Completed returns a context for a request whose body was streamed, once it has been read: the gateway knew the rest
// of it, and this adds to the fingerprint what was read, part by part.
func Completed(ctx context.Context, parts ...[]byte) context.Context {
	c := *From(ctx)
	c.Operation.Fingerprint = extended(c.Operation.Fingerprint, parts)
	c.Operation.Former = slices.Clone(c.Operation.Former)
	for i, former := range c.Operation.Former {
		c.Operation.Former[i].Fingerprint = extended(former.Fingerprint, parts)
	}
	return With(ctx, &c)
}

func extended(fingerprint []byte, parts [][]byte) []byte {
	mac := hmac.New(sha256.New, fingerprint) // which nobody outside knows
	for _, part := range parts {
		fmt.Fprintf(mac, "%d ", len(part))
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// Trusted returns a context for work that goes on after the caller's right to the workspace has been checked.
func Trusted(ctx context.Context) context.Context {
	c := *From(ctx)
	c.Principal.SessionID = uuid.Nil
	return With(ctx, &c)
}

// InHomeWorkspace returns a context for work in the workspace that the caller is signed in to, whichever the call names.
func InHomeWorkspace(ctx context.Context) context.Context {
	c := *From(ctx)
	c.Principal.WorkspaceID = c.Principal.HomeID
	return With(ctx, &c)
}

// WithoutPermissions returns a context for work that needs no permission in the workspace of the context, as the noting down of a refusal.
func WithoutPermissions(ctx context.Context) context.Context {
	c := *From(ctx)
	c.Needs = Needs{Deleted: true, Keys: AnyKey}
	return With(ctx, &c)
}

// As returns a context in which user acts in workspace, its right to do so being settled: for calls that come
// without a token, once they know who calls.
func As(ctx context.Context, workspace, user uuid.UUID) context.Context {
	c := *From(ctx)
	c.Principal = Principal{WorkspaceID: workspace, UserID: user}
	return With(ctx, &c)
}

// For returns a context for work of an actor in a workspace under an operation, the right to it being settled: for what
// comes without a token and brings an identity of its own, as a webhook does.
func For(ctx context.Context, workspace, actor, operation uuid.UUID) context.Context {
	c := *From(As(ctx, workspace, actor))
	digest := sha256.Sum256(slices.Concat(actor[:], operation[:])) // of one request there is one operation, and the other way round
	c.Operation = Operation{ID: operation, Fingerprint: digest[:]}
	return With(ctx, &c)
}
