package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
)

// ForgotPassword asks for an email with a link to set another password.
func (s Server) ForgotPassword(ctx context.Context, r ForgotPasswordRequestObject) (ForgotPasswordResponseObject, error) {
	return ForgotPassword202Response{}, s.Recover.Request(ctx, r.Body.Email, callctx.From(ctx).AcceptLanguage, client(ctx))
}

// ResetPassword sets another password with the link of an email.
func (s Server) ResetPassword(ctx context.Context, r ResetPasswordRequestObject) (ResetPasswordResponseObject, error) {
	return ResetPassword204Response{}, s.Recover.Do(ctx, r.Body.Token, r.Body.Password, callctx.From(ctx).AcceptLanguage, client(ctx))
}

// VerifyEmail proves an address: by the token of a link, whoever brings it, or by a code, which only its account can.
func (s Server) VerifyEmail(ctx context.Context, r VerifyEmailRequestObject) (VerifyEmailResponseObject, error) {
	if err := checkProof(r.Body); err != nil {
		return nil, err
	}
	bearer, err := s.bearer(ctx, r.Body.Password)
	if err != nil {
		return nil, err
	}
	if r.Body.Token != nil {
		return VerifyEmail204Response{}, s.Verify.ByLink(ctx, *r.Body.Token, bearer)
	}
	user := bearer.UserID
	if user == uuid.Nil {
		return nil, fail.ErrUnauthorized
	}
	return VerifyEmail204Response{}, s.Verify.ByCode(ctx, user, *r.Body.Code)
}

// checkProof returns an error where a body has neither a token nor a code, or what does not belong together.
func checkProof(body *VerifyEmailJSONRequestBody) error {
	switch {
	case body.Token == nil && body.Code == nil:
		return fail.Fields(fail.Field{Field: "token", Code: "REQUIRED", Message: "must be sent, unless code is"})
	case body.Code != nil && body.Token != nil:
		return fail.Fields(fail.Field{Field: "code", Code: "INVALID", Message: "must not be sent together with token"})
	case body.Code != nil && body.Password != nil:
		return fail.Fields(fail.Field{Field: "password", Code: "INVALID", Message: "must not be sent together with code, which has an access token"})
	}
	return nil
}

// bearer returns what comes with the token of a link: the session, which must still be valid, and a password.
func (s Server) bearer(ctx context.Context, password *string) (usecases.Bearer, error) {
	call := callctx.From(ctx)
	b := usecases.Bearer{UserID: call.Principal.UserID, IP: call.IP}
	if password != nil {
		b.Password = *password
	}
	if b.UserID == uuid.Nil {
		return b, nil
	}
	_, err := s.Users.Profile(ctx)
	return b, err
}

// ResendVerification sends the email that verifies the caller's address once more. Without a workspace it is not stored as
// an operation, because operations belong to workspaces.
func (s Server) ResendVerification(ctx context.Context, _ ResendVerificationRequestObject) (ResendVerificationResponseObject, error) {
	p, language := callctx.From(ctx).Principal, callctx.From(ctx).AcceptLanguage
	if p.WorkspaceID == uuid.Nil {
		if _, err := s.Users.Profile(ctx); err != nil { // the session must still be valid
			return nil, err
		}
		return ResendVerification202Response{}, s.Verify.AskAgain(ctx, p.UserID, language, client(ctx))
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: ResendVerification202Response{}.VisitResendVerificationResponse,
			Audit:  audit.Entry{Action: "email.ask_verification", Resource: "user", ResourceID: p.UserID},
		}, s.Verify.AskAgain(ctx, p.UserID, language, client(ctx))
	})
	return stored{answer}, err
}

// ChangeEmail asks the former and the new address whether the caller's account may have the new one.
func (s Server) ChangeEmail(ctx context.Context, r ChangeEmailRequestObject) (ChangeEmailResponseObject, error) {
	prepared, err := s.Email.Prepare(ctx, callctx.From(ctx).Principal.UserID, r.Body.Email, r.Body.Password)
	if err != nil {
		return nil, err
	}
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		p := callctx.From(ctx).Principal
		return command.Outcome{
			Answer: ChangeEmail202Response{}.VisitChangeEmailResponse,
			Audit:  audit.Entry{Action: "email.ask_change", Resource: "user", ResourceID: p.UserID},
		}, s.Email.Do(ctx, p.UserID, prepared, callctx.From(ctx).AcceptLanguage)
	})
	return stored{answer}, err
}

// ConfirmEmailChange uses one of the two links of a change of the address, whoever brings it.
func (s Server) ConfirmEmailChange(ctx context.Context, r ConfirmEmailChangeRequestObject) (ConfirmEmailChangeResponseObject, error) {
	bearer, err := s.bearer(ctx, r.Body.Password)
	if err != nil {
		return nil, err
	}
	changed, err := s.Email.Confirm(ctx, r.Body.Token, callctx.From(ctx).AcceptLanguage, bearer)
	return ConfirmEmailChange200JSONResponse{Changed: changed}, err
}

// SetUp makes the first account of the installation.
func (s Server) SetUp(ctx context.Context, r SetUpRequestObject) (SetUpResponseObject, error) {
	grant, err := s.First.Do(ctx, usecases.FirstAccount{
		Token: r.Body.Token, Email: r.Body.Email, Password: r.Body.Password, WorkspaceName: r.Body.WorkspaceName, Client: client(ctx),
	})
	return SetUp201JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}
