// Package callctx holds the data of the call that is being served: the caller, the operation and the trace. The gateway
// creates it, and the layers below read it from the context. Background work creates its own.
package callctx

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Call is one call in progress. Only the gateway writes to it, before the use case runs.
type Call struct {
	TraceID   string
	Principal Principal
	Operation Operation
	Needs     Needs
	IP        netip.Addr // of the client; invalid where unknown
	UserAgent string
	// AcceptLanguage is the Accept-Language of the client (RFC 9110, 12.5.4), for what it is sent in emails; "" for none.
	AcceptLanguage string
	// Familiar reports whether the device, or somebody from the network of the client, has logged in before, to any
	// account.
	Familiar bool
	// DeviceToken is the device token of an earlier log-in that the client sent, a secret; "" if it sent none.
	DeviceToken string
	// Outside is the time that the call has waited for other systems, such as models, in nanoseconds; nil: it is not
	// measured. Any goroutine of the call may add to it, at the end of such a wait.
	Outside *atomic.Int64
	// TraceGiven says that the client sent the trace id.
	TraceGiven bool
}

// Waited adds a time that the call of the context has waited for another system.
func Waited(ctx context.Context, d time.Duration) {
	if c := From(ctx); c.Outside != nil {
		c.Outside.Add(int64(d))
	}
}

// Principal is who acts, and in which workspace. The zero Principal is nobody.
type Principal struct {
	WorkspaceID uuid.UUID
	UserID      uuid.UUID
	// KeyID is the id of the API key that acts in place of a user. UserID and SessionID have the same value then. The
	// zero id: a user acts.
	KeyID uuid.UUID
	// SessionID is the id of the session, or API key, that the database checks at the start of every transaction. The
	// zero id means that the right to the workspace has been checked already: for work after the first transaction,
	// log-in, and jobs.
	SessionID uuid.UUID
	// HomeID is the workspace of the access token, which X-Workspace-Id does not change. The session is looked up only
	// in this workspace. The zero id with a SessionID: the user is in no workspace.
	HomeID uuid.UUID
	// EndUser is set where an end user acts with a token of its own. UserID and SessionID are the id of the end user then.
	EndUser *EndUser
	// Own says that the caller sees only threads that it made: an end user, or an API key with the role chat.
	Own bool
	// Limits are those of the API key; nil: none.
	Limits *KeyLimits
	// KeepsCalls says that calls of the API key that name no thread are kept as threads, unless they say otherwise.
	KeepsCalls bool
}

// KeyLimits are the limits of an API key as the database counts them: JSON objects, nil where there is none.
type KeyLimits struct {
	Requests json.RawMessage // requests by period
	Turns    json.RawMessage // all limits that turns are held to, by metric and period
}

// EndUser is what the token of an end user says.
type EndUser struct {
	KeyID   uuid.UUID // the API key that the token was made with
	BotID   uuid.UUID // the bot that it is good for
	Origins []string  // of web pages that may use it
	Turns   TurnLimits
}

// TurnLimits are how many turns a caller may begin in a minute and in a day of UTC; 0: no limit.
type TurnLimits struct {
	Minute int `json:"minute,omitempty"`
	Day    int `json:"day,omitempty"`
}

// Needs are the requirements that the database checks for the principal at the start of every transaction, unless its
// right has been checked already.
type Needs struct {
	Roles   []string // one of them; none: any member
	Deleted bool     // the workspace may be deleted
	Keys    Keys     // which API keys may
	// Fresh says that a user who has a second factor must have authenticated with it in the last minutes.
	Fresh bool
	// WithoutFactor says that a user without a second factor may make the call in a workspace that demands one.
	WithoutFactor bool
}

// Keys says which API keys may make a call.
type Keys string

// The zero Keys is none.
const (
	AnyKey   Keys = "any"
	WholeKey Keys = "whole" // not those that are limited to some bots
)

// Operation makes a retry safe: it is the operation id, sent by the client or assigned, and a fingerprint of the
// request.
type Operation struct {
	ID          uuid.UUID
	Given       bool   // the id is the client's
	Header      string // in which the client sent it; "": in none
	Fingerprint []byte // HMAC-SHA-256 over method, path, query and body; Completed adds a body that is streamed
	// Earlier is the fingerprint of version 1, computed from the bytes of a JSON body as they were sent; nil if it
	// equals Fingerprint.
	Earlier []byte
	// Former are the fingerprints with former keys. An operation that was stored before the key was changed has one of
	// them.
	Former []FormerFingerprint
}

// FormerFingerprint is a fingerprint with a former key, and its version 1.
type FormerFingerprint struct{ Fingerprint, Earlier []byte }

// FingerprintVersion is the version of Fingerprint: 2 is over the body in canonical JSON (RFC 8785 for order and spacing;
// numbers keep their text), 1 was over its bytes.
const FingerprintVersion = 2

// SameRequest reports whether a stored fingerprint of the given version belongs to the request of this call.
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

// From returns the call of a context; an empty call if the context has none.
func From(ctx context.Context) *Call {
	if c, ok := ctx.Value(key{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// Named returns a context for an operation whose id is made of the whole request, where the client sent none. The same
// id is always the same request, so the fingerprint is that of the id.
func Named(ctx context.Context, operation uuid.UUID) context.Context {
	c, sum := *From(ctx), sha256.Sum256(operation[:])
	c.Operation = Operation{ID: operation, Given: true, Fingerprint: sum[:]}
	return With(ctx, &c)
}

// Completed returns a context for a request whose streamed body has been read. The fingerprint of the gateway does not
// include a streamed body; Completed adds the given parts of it to the fingerprint.
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

// WithoutPermissions returns a context for work that needs no permission in the workspace of the context, such as the
// recording of a refusal.
func WithoutPermissions(ctx context.Context) context.Context {
	c := *From(ctx)
	c.Needs = Needs{Deleted: true, Keys: AnyKey, WithoutFactor: true}
	return With(ctx, &c)
}

// As returns a context in which user acts in workspace without a further check of its right. It is for calls without a
// token, once the caller is known.
func As(ctx context.Context, workspace, user uuid.UUID) context.Context {
	c := *From(ctx)
	c.Principal = Principal{WorkspaceID: workspace, UserID: user}
	return With(ctx, &c)
}

// For returns a context for work of an actor in a workspace under an operation, without a further check of its right.
// It is for requests without a token that carry an identity of their own, such as webhooks.
func For(ctx context.Context, workspace, actor, operation uuid.UUID) context.Context {
	c := *From(As(ctx, workspace, actor))
	digest := sha256.Sum256(slices.Concat(actor[:], operation[:])) // of one request there is one operation, and the other way round
	c.Operation = Operation{ID: operation, Fingerprint: digest[:]}
	return With(ctx, &c)
}
