// Package fail defines the errors that callers of the API receive: a kind, a stable code, a message that is safe to
// show, and details. Domain and use cases return them. Adapters convert driver errors into them at their edge.
// platform/request/gateway writes them in the one error format. Causes are recorded for the log and never shown.
package fail

import (
	"errors"
	"maps"
	"strings"
	"time"
)

// Kind is the kind of a failure; the gateway maps it to an HTTP status.
type Kind int

// The kinds, each with its HTTP status.
const (
	Internal         Kind = iota // 500
	Malformed                    // 400: not understood as sent
	Unauthenticated              // 401
	Forbidden                    // 403
	NotFound                     // 404
	MethodNotAllowed             // 405
	Conflict                     // 409: also what is busy now
	Outdated                     // 412: meant for another state than there is
	TooLarge                     // 413
	Unsupported                  // 415: media type
	OutOfRange                   // 416: no such part of it
	Invalid                      // 422
	TooMany                      // 429
	NotImplemented               // 501
	Unavailable                  // 503: something behind us does not answer
)

// Error is a failure that a caller may see. Errors are values: With, After and Because return changed copies, so that a
// declared error may be shared.
type Error struct {
	Kind       Kind
	Code       string         // stable, UPPER_SNAKE
	Message    string         // safe to show, says the remedy
	Details    map[string]any // nil where there are none
	RetryAfter time.Duration  // 0: says nothing of when to try again
	Tenant     bool           // it is of the tenant's own settings, account or server: it alerts no operator

	copyOf *Error // what was declared; nil for itself
	cause  error
}

// New declares an error.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

func (e *Error) Error() string {
	text := e.Code + ": " + e.Message
	if e.cause == nil {
		return text
	}
	cause := e.cause.Error()
	if rest, again := strings.CutPrefix(cause, text); again && (rest == "" || strings.HasPrefix(rest, ": ")) {
		return cause // which says the same and maybe more
	}
	return text + ": " + strings.TrimPrefix(cause, e.Code+": ")
}

// Unwrap returns the cause, which is for logs only.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether this error is a copy of the declared error target. Errors are compared by origin and not by code,
// because several declared errors share a code such as CONFLICT.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.origin() == e.origin()
}

func (e *Error) origin() *Error {
	if e.copyOf != nil {
		return e.copyOf
	}
	return e
}

func (e *Error) copy() *Error {
	c := *e
	c.copyOf = e.origin()
	return &c
}

// With returns a copy with an additional detail.
func (e *Error) With(key string, value any) *Error {
	c := e.copy()
	c.Details = maps.Clone(e.Details)
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	c.Details[key] = value
	return c
}

// After returns a copy that says after which time the caller may try again.
func (e *Error) After(d time.Duration) *Error {
	c := e.copy()
	c.RetryAfter = d
	return c
}

// OfTenant returns a copy that is marked as caused by the tenant's own settings, account or server.
func (e *Error) OfTenant() *Error {
	c := e.copy()
	c.Tenant = true
	return c
}

// ofTenant is an error that is no Error and is of a tenant's own settings, account or server.
type ofTenant struct{ error }

func (o ofTenant) Unwrap() error { return o.error }

// OfTenant marks an error as caused by the tenant's own settings, account or server, where callers do not see the
// error. It returns nil for nil.
func OfTenant(err error) error {
	if err == nil {
		return nil
	}
	return ofTenant{err}
}

// IsOfTenant reports whether an error is caused by a tenant's own settings, account or server, so that an operator
// cannot fix it.
func IsOfTenant(err error) bool {
	e, ok := errors.AsType[*Error](err)
	_, marked := errors.AsType[ofTenant](err)
	return ok && e.Tenant || marked
}

// Because returns a copy with a cause for the log.
func (e *Error) Because(cause error) *Error {
	c := e.copy()
	c.cause = cause
	return c
}

// Field is one wrong field of a request.
type Field struct {
	Field   string `json:"field"` // dotted path in the body, or the name of the parameter
	Code    string `json:"code"`
	Message string `json:"message"` // says the remedy
}

// ErrValidation matches, by errors.Is, every error that Fields returns.
var ErrValidation = New(Invalid, "VALIDATION_ERROR", "the request has wrong fields")

// Fields returns one error for all wrong fields; nil if there are none.
func Fields(wrong ...Field) error {
	if len(wrong) == 0 {
		return nil
	}
	messages := make([]string, len(wrong))
	for i, f := range wrong {
		messages[i] = f.Field + " " + f.Message
	}
	e := ErrValidation.With("errors", wrong)
	e.Message = strings.Join(messages, "; ")
	return e
}

// WrongFields returns the fields of an error that Fields returned, and none for any other error.
func WrongFields(err error) []Field {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	wrong, _ := e.Details["errors"].([]Field)
	return wrong
}

// The errors that belong to no module.
var (
	ErrInternal          = New(Internal, "INTERNAL_ERROR", "something went wrong on our side; quote the trace id when you report it")
	ErrUnauthorized      = New(Unauthenticated, "UNAUTHORIZED", "the access token is missing, wrong, expired or revoked: log in or refresh")
	ErrSuspended         = New(Unauthenticated, "API_KEY_SUSPENDED", "the API key is suspended since the member who was responsible for it has left or has a lower role: an owner or admin may adopt it")
	ErrForbidden         = New(Forbidden, "FORBIDDEN", "you are not a member of this workspace")
	ErrNotAllowed        = New(Forbidden, "FORBIDDEN", "your role in this workspace does not allow this call: ask one of its owners") // has details.role
	ErrAddressNotAllowed = New(Forbidden, "ADDRESS_NOT_ALLOWED", "this API key is not good from your address: allowed_addresses of the key says from which it is")
	ErrNotForKey         = New(Forbidden, "FORBIDDEN", "an API key may not make this call, or not one that is limited to some bots") // has details.role
	ErrFactorNeeded      = New(Forbidden, "SECOND_FACTOR_MISSING", "this workspace demands a second factor of its members: set one with POST /v1/auth/factors/totp, then send the call again")
	ErrReauthenticate    = New(Forbidden, "REAUTHENTICATION_REQUIRED", "this needs an authentication of the last 10 minutes: send POST /v1/auth/reauthenticate, then the call again")
	ErrDeleted           = New(Forbidden, "WORKSPACE_DELETED", "this workspace is deleted: its owners may restore it for a while")
	ErrEmailNotVerified  = New(Forbidden, "EMAIL_NOT_VERIFIED", "this needs an account whose address is proved: open the link or enter the code of the email (POST /v1/auth/email/resend sends another); for models, a key of your own works before that (PUT /v1/model-keys/{provider})")
	ErrLimitReached      = New(Forbidden, "LIMIT_REACHED", "this workspace has used what its limit allows: details say of what; GET /v1/usage has the rest")
	ErrTooMany           = New(TooMany, "RATE_LIMIT_EXCEEDED", "too many calls: wait as long as Retry-After says")
	ErrTooBroad          = New(Invalid, "QUERY_TOO_BROAD", "looking through what this filter leaves takes longer than 5 seconds: narrow it, by one more filter or a shorter time")
	ErrTooManyReads      = New(TooMany, "TOO_MANY_READS", "too many lists and reports of this workspace are read at once: wait as long as Retry-After says, and read fewer at a time").After(time.Second)
	ErrStorageFull       = New(Unavailable, "STORAGE_FULL", "there is no room to store this: send the same call again later; what is stored can be read").After(30 * time.Second)
	ErrUnavailable       = New(Unavailable, "DOWNSTREAM_UNAVAILABLE", "a service behind this one does not answer: try again shortly").After(time.Second)
)

// Errors of a call under an operation id that was used before.
var (
	ErrInProgress = New(Conflict, "OPERATION_IN_PROGRESS", "this operation is still running: send the same call again").After(time.Second)
	ErrExpired    = New(Conflict, "OPERATION_EXPIRED", "this operation was done long ago and its answer is no longer kept: look whether it took effect; make a new id for a new request")
	ErrReused     = New(Invalid, "OPERATION_ID_REUSED", "this X-Operation-Id was used for another request: make a new one for every new request")
)

// From returns the Error in the chain of err. If there is none, it returns ErrInternal with err as its cause.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return ErrInternal.Because(err)
}
