package gateway

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of the gateway.
var (
	errOperationID = fail.New(fail.Malformed, "INVALID_OPERATION_ID", "X-Operation-Id must be one UUID, or left out")
	errUserID      = fail.New(fail.Forbidden, "FORBIDDEN", "X-User-Id is not the user of the access token: leave it out")
	errNoWorkspace = fail.New(fail.Forbidden, "NO_WORKSPACE",
		"this session is of no workspace: make one or accept an invitation, then change the refresh token for a session in it")
	errTooLarge  = fail.New(fail.TooLarge, "PAYLOAD_TOO_LARGE", "the body is too large")
	errMediaType = fail.New(fail.Unsupported, "UNSUPPORTED_MEDIA_TYPE", "send the body as Content-Type: application/json")
)

// prepareCall prepares a request of an operation of the contract: it authenticates the caller, determines the workspace and
// the operation id, and reads and validates the input. Other requests are passed on to the 404 and 405 of the router.
func prepareCall(o Options) echo.MiddlewareFunc {
	flight := newInFlight(o.BodyLimit)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			op := o.Contract.Find(c.Request().Method, c.Path())
			if op == nil {
				return next(c)
			}
			if err := identify(c, op, o); err != nil {
				return err
			}
			return countBytes(c, op, flight, func() error { return readInput(c, op, o, next) })
		}
	}
}

// readInput reads and validates the input of a call whose caller is known, and calls the next handler.
func readInput(c *echo.Context, op *contract.Operation, o Options, next echo.HandlerFunc) error {
	if _, err := operationID(c.Request().Header); err != nil && op.Limit != contract.NoLimit {
		return err
	}
	if op.Transfer {
		if err := extendDeadlines(c, o.TransferDeadline); err != nil {
			return err
		}
	}
	if op.Long {
		defer o.watch(c)()
	}
	if op.Upload {
		if err := openBody(c, o.UploadLimit); err != nil {
			return err
		}
	}
	body, err := readBody(c, op, bodyLimit(op, o))
	if err != nil {
		return err
	}
	if err := check(c, op, body); err != nil {
		return err
	}
	if req := c.Request(); req.Method != http.MethodGet && !op.Signed {
		if err := nameOperation(c, op); err != nil {
			return err
		}
		setFingerprint(&callctx.From(req.Context()).Operation, o.FingerprintKeys, req, body, op.FingerprintOf(req.Header))
	}
	return explainPermission(op, next(c))
}

// identify authenticates the caller and applies its rate limit: by address if there is no valid token. A user has one
// limit over all workspaces, and all keys of a workspace share one.
func identify(c *echo.Context, op *contract.Operation, o Options) error {
	switch {
	case op.Limit == contract.NoLimit:
		return nil
	case op.Limit == contract.SessionLimit:
		return checkFailures(c, o)
	case op.Limit == contract.AuthLimit:
		err := limitLogIn(c, o)
		if err == nil && op.Optional && len(c.Request().Header.Values(echo.HeaderAuthorization)) > 0 {
			err = authenticate(c, op, o)
		}
		return err
	case op.Public:
		return limitNetwork(c, o.Limiter, "address", o.Limits.General)
	}
	err := authenticate(c, op, o)
	if errors.Is(err, fail.ErrUnauthorized) || errors.Is(err, fail.ErrAddressNotAllowed) || errors.Is(err, errOrigin) { // nobody is let in
		return errors.Join(limitNetwork(c, o.Limiter, "address", o.Limits.General), err)
	}
	p := callctx.From(c.Request().Context()).Principal
	if tooMany := rateLimit(c, o.Limiter, "principal:"+ownerOf(p).String(), o.Limits.General); tooMany != nil {
		return errors.Join(tooMany, err)
	}
	if p.HomeID == uuid.Nil {
		return err
	}
	if err = errors.Join(limitWorkspace(c, o, p.HomeID), err); err != nil || o.CountRequest == nil {
		return err
	}
	return o.CountRequest(c.Request().Context())
}

// ownerOf is whom calls are counted for: the user, or for an API key its workspace.
func ownerOf(p callctx.Principal) uuid.UUID {
	if p.KeyID != uuid.Nil {
		return p.HomeID
	}
	return p.UserID
}

// auditForbidden passes each forbidden change to Refused, wherever in the chain it was forbidden. A change that a rate limit
// rejects is not forbidden and is not reported.
func auditForbidden(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			err := next(c)
			req := c.Request()
			if e, ok := errors.AsType[*fail.Error](err); ok && e.Kind == fail.Forbidden && !errors.Is(e, fail.ErrLimitReached) && req.Method != http.MethodGet {
				o.Refused(req.Context(), callctx.From(req.Context()).Principal, req.Method+" "+c.Path(), e)
			}
			return err
		}
	}
}

// explainPermission adds which permission a role lacks.
func explainPermission(op *contract.Operation, err error) error {
	if e, ok := errors.AsType[*fail.Error](err); ok && e.Details["role"] != nil {
		return e.With("permission", op.Permission)
	}
	return err
}

func authenticate(c *echo.Context, op *contract.Operation, o Options) error {
	req := c.Request()
	token := tokenOf(req.Header, op)
	if token == "" {
		return fail.ErrUnauthorized
	}
	p, err := o.Authenticator.Authenticate(req.Context(), token)
	if p.EndUser != nil {
		err = errors.Join(err, checkOrigin(c, p.EndUser))
	}
	if err != nil {
		return err
	}
	p.HomeID = p.WorkspaceID
	callctx.From(req.Context()).Principal = p
	callctx.From(req.Context()).Needs = needs(op, o)
	if p.EndUser != nil && !o.Permissions[op.Permission].EndUsers {
		return fail.ErrNotAllowed
	}
	if user := req.Header.Values(headerUserID); len(user) > 0 && (len(user) > 1 || !sameID(user[0], p.UserID)) {
		return errUserID
	}
	if p.WorkspaceID == uuid.Nil {
		return authenticateAlone(c, op, p)
	}
	if w := req.Header.Values(headerWorkspaceID); len(w) > 0 {
		id, err := parseID(w[0])
		if err != nil || len(w) > 1 {
			return fail.ErrForbidden
		}
		p.WorkspaceID = id // the entry of the first transaction refuses it to all but its members
	}
	if id, err := parseID(c.Param("workspace_id")); err == nil { // a malformed one is reported with the other parameters
		if len(req.Header.Values(headerWorkspaceID)) > 0 && id != p.WorkspaceID {
			return fail.ErrForbidden
		}
		p.WorkspaceID = id
	}
	if (p.KeyID != uuid.Nil || p.EndUser != nil) && p.WorkspaceID != p.HomeID {
		return fail.ErrForbidden // both are of one workspace
	}
	callctx.From(req.Context()).Principal = p
	setHeaders(c.Response().Header(), headerUserID, p.UserID.String(), headerWorkspaceID, p.WorkspaceID.String())
	return nil
}

// tokenOf returns the token of a request: that of Authorization, or where there is none and the document allows it that
// of Api-Key; "" where there is none, or more than one.
func tokenOf(h http.Header, op *contract.Operation) string {
	values := h.Values(echo.HeaderAuthorization)
	if key := h.Values(headerAPIKey); op.KeyHeader && len(values) == 0 && len(key) == 1 {
		return key[0]
	}
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ") // one or more spaces (RFC 9110, 11.4)
}

// authenticateAlone admits a user who is in no workspace, to operations that the document marks for such users, and to
// no workspace that the request names. The first transaction checks whether the session is valid.
func authenticateAlone(c *echo.Context, op *contract.Operation, p callctx.Principal) error {
	if !op.WithoutWorkspace || len(c.Request().Header.Values(headerWorkspaceID)) > 0 {
		return errNoWorkspace
	}
	setHeaders(c.Response().Header(), headerUserID, p.UserID.String())
	return nil
}

// needs is what the document says that a caller must be. Calls about oneself are for everybody, wherever.
func needs(op *contract.Operation, o Options) callctx.Needs {
	p := o.Permissions[op.Permission]
	oneself := op.Permission == noPermission
	return callctx.Needs{Roles: p.Roles, Keys: p.Keys, Deleted: op.Deleted || oneself, Fresh: op.Fresh, WithoutFactor: oneself}
}

func sameID(text string, id uuid.UUID) bool {
	parsed, err := parseID(text)
	return err == nil && parsed == id
}

// parseID accepts only the 36-character form. uuid.Parse accepts others too, which would give one id several spellings.
func parseID(text string) (uuid.UUID, error) {
	if len(text) != len(uuid.Nil.String()) {
		return uuid.Nil, errors.New("a UUID has 36 characters")
	}
	return uuid.Parse(text)
}

// operationID returns the operation id that the client sent; the zero id if it sent none.
func operationID(h http.Header) (uuid.UUID, error) {
	values := h.Values(headerOperationID)
	if len(values) == 0 {
		return uuid.Nil, nil
	}
	id, err := parseID(values[0])
	if err != nil || len(values) > 1 || id == uuid.Nil {
		return uuid.Nil, errOperationID
	}
	return id, nil
}

// maxIdempotencyKey is the largest length of an Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// operationSpace is the namespace of the operation ids that are made of an Idempotency-Key.
const operationSpace = "0b1e1c5e-8f5b-4f0c-8d0a-6f2f2a4f3c11"

// nameOperation makes the operation id of the Idempotency-Key, where the document takes one and the client sent no
// operation id.
func nameOperation(c *echo.Context, op *contract.Operation) error {
	keys, call := c.Request().Header.Values(headerIdempotencyKey), callctx.From(c.Request().Context())
	if !op.IdempotencyKey || call.Operation.Given || len(keys) == 0 {
		return nil
	}
	if len(keys) > 1 || keys[0] == "" || len(keys[0]) > maxIdempotencyKey {
		return fail.Fields(fail.Field{Field: headerIdempotencyKey, Code: "INVALID", Message: "must be sent once, with 1 to 255 characters"})
	}
	call.Operation.ID, call.Operation.Given = uuid.NewSHA1(uuid.MustParse(operationSpace), []byte(keys[0])), true
	call.Operation.Header = headerIdempotencyKey
	setHeaders(c.Response().Header(), headerOperationID, call.Operation.ID.String())
	return nil
}

// publicBodyLimit is the largest body of a call without a token, in bytes, unless its sender signs it.
const publicBodyLimit = 64 << 10

// bodyLimit is the largest body of a call, in bytes.
func bodyLimit(op *contract.Operation, o Options) int64 {
	if op.Public && !op.Signed {
		return min(o.BodyLimit, publicBodyLimit)
	}
	return o.BodyLimit
}

// readBody reads the whole body, where the call has one, and leaves it to be read again.
func readBody(c *echo.Context, op *contract.Operation, limit int64) ([]byte, error) {
	req := c.Request()
	if op.Body == nil {
		return nil, nil
	}
	tooLarge := errTooLarge.With("limit_bytes", limit)
	if req.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), req.Body, limit))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	if errors.Is(err, errInFlight) {
		return nil, errInFlight
	}
	if err != nil {
		return nil, errBrokeOff.Because(err)
	}
	if len(body) > 0 && !isJSON(req.Header.Values(echo.HeaderContentType)) {
		return nil, errMediaType
	}
	if len(body) > 0 { // in the one spelling that the generated code knows: media types have no case (RFC 9110, 8.3.1)
		req.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	return body, nil
}

func isJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	kind, params, err := mime.ParseMediaType(contentType[0])
	charset, ok := params["charset"]
	return err == nil && kind == echo.MIMEApplicationJSON && (!ok || strings.EqualFold(charset, "utf-8"))
}

// check validates parameters and body against the document, and reports all wrong fields at once. The handler that
// verifies the signature checks a signed body.
func check(c *echo.Context, op *contract.Operation, body []byte) error {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return fail.New(fail.Malformed, "BAD_REQUEST", "the query string is malformed: escape % as %25").Because(err)
	}
	wrong := op.Parameters(c.Param, query)
	if op.Body != nil && !op.Signed && (len(body) > 0 || op.Body.Required) {
		err := op.CheckBody(body)
		fields := fail.WrongFields(err)
		if err != nil && fields == nil {
			return err
		}
		wrong = append(wrong, fields...)
	}
	return fail.Fields(wrong...)
}

// setFingerprint sets the fingerprints of the request, which distinguish different requests under the same operation
// id.
func setFingerprint(o *callctx.Operation, keys secret.Keys, req *http.Request, body, headers []byte) {
	canonical := contract.Canonical(body)
	under := func(key secret.Key) (f callctx.FormerFingerprint) {
		f.Fingerprint = fingerprint(key.Bytes, req, canonical, headers)
		if !bytes.Equal(canonical, body) {
			f.Earlier = fingerprint(key.Bytes, req, body, headers)
		}
		return f
	}
	current := under(keys.Current())
	o.Fingerprint, o.Earlier = current.Fingerprint, current.Earlier
	for _, key := range keys[1:] {
		o.Former = append(o.Former, under(key))
	}
}

// lastEventID is the query parameter with the id of the last event that the reader of a stream has received. It selects
// where the response starts and not what is requested: a call that continues its stream is the same operation.
const lastEventID = "last_event_id"

// fingerprint returns an HMAC-SHA-256 over the method, path, sorted query and body of a request, each with its length, and
// over the headers that belong to it. Different requests have different fingerprints.
func fingerprint(key []byte, req *http.Request, body, headers []byte) []byte {
	mac := hmac.New(sha256.New, key)
	values := req.URL.Query()
	values.Del(lastEventID)
	query := values.Encode() // sorted by key
	fmt.Fprintf(mac, "%s %d %s %d %s %d ", req.Method, len(req.URL.Path), req.URL.Path, len(query), query, len(body))
	mac.Write(body)
	mac.Write(headers)
	return mac.Sum(nil)
}
