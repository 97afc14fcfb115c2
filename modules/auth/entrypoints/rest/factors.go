package rest

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
)

// FactorCalls has what the calls about second factors need.
type FactorCalls struct {
	Finish usecases.FinishLogIn
	Renew  usecases.Reauthenticate
	Own    usecases.SecondFactors
	Demand usecases.DemandSecondFactor
}

// LoginFactor finishes a log-in with a second factor.
func (s Server) LoginFactor(ctx context.Context, r LoginFactorRequestObject) (LoginFactorResponseObject, error) {
	c := callctx.From(ctx)
	grant, err := s.Factors.Finish.Do(ctx, usecases.SecondStep{
		Ticket: r.Body.Ticket, Code: r.Body.Code, DeviceToken: c.DeviceToken, Client: client(ctx), Language: c.AcceptLanguage,
	})
	return LoginFactor200JSONResponse{TokenPairJSONResponse(pair(grant))}, err
}

// Reauthenticate has the caller prove again who it is.
func (s Server) Reauthenticate(ctx context.Context, r ReauthenticateRequestObject) (ReauthenticateResponseObject, error) {
	p := callctx.From(ctx).Principal
	if p.HomeID == uuid.Nil {
		if _, err := s.Users.Profile(ctx); err != nil { // the session must still be valid
			return nil, err
		}
	} else if answer, seen, err := s.Commands.Seen(callctx.InHomeWorkspace(ctx)); err != nil || seen {
		return stored{answer}, err // the code of a repetition is used up
	}
	code := ""
	if r.Body.Code != nil {
		code = *r.Body.Code
	}
	prepared, err := s.Factors.Renew.Prepare(ctx, p.UserID, r.Body.Password, code)
	if err != nil {
		return nil, err
	}
	answer, err := s.changeAccount(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: Reauthenticate204Response{}.VisitReauthenticateResponse,
			Audit:  audit.Entry{Action: "session.reauthenticate", Resource: "session", ResourceID: p.SessionID},
		}, s.Factors.Renew.Do(ctx, p.SessionID, prepared, callctx.From(ctx).AcceptLanguage)
	})
	return answer, s.Factors.Renew.Counted(ctx, prepared, err)
}

// GetFactors returns the second factor of the caller.
func (s Server) GetFactors(ctx context.Context, _ GetFactorsRequestObject) (GetFactorsResponseObject, error) {
	d, err := s.Factors.Own.Describe(ctx)
	factors := GetFactors200JSONResponse{RecoveryCodesLeft: int32(d.RecoveryCodes)}
	if d.Authenticator != nil {
		factors.Totp = &Totp{CreatedAt: d.Authenticator.CreatedAt, ConfirmedAt: d.Authenticator.ConfirmedAt}
	}
	return factors, err
}

// CreateTotp makes the secret of an authenticator app. The answer shows it, once.
func (s Server) CreateTotp(ctx context.Context, _ CreateTotpRequestObject) (CreateTotpResponseObject, error) {
	return s.changeAccount(ctx, func(ctx context.Context) (command.Outcome, error) {
		user := callctx.From(ctx).Principal.UserID
		secret, uri, err := s.Factors.Own.Begin(ctx, user, callctx.From(ctx).Principal.SessionID)
		return command.Outcome{
			Answer: CreateTotp201JSONResponse{Secret: secret, URI: uri}.VisitCreateTotpResponse,
			Audit:  audit.Entry{Action: "second_factor.begin", Resource: "user", ResourceID: user},
			Secret: true,
		}, err
	})
}

// ConfirmTotp makes an authenticator the second factor. The answer shows recovery codes, once.
func (s Server) ConfirmTotp(ctx context.Context, r ConfirmTotpRequestObject) (ConfirmTotpResponseObject, error) {
	return s.changeAccount(ctx, func(ctx context.Context) (command.Outcome, error) {
		c := callctx.From(ctx)
		codes, err := s.Factors.Own.Confirm(ctx, c.Principal.UserID, c.Principal.SessionID, r.Body.Code, c.AcceptLanguage)
		return command.Outcome{
			Answer: ConfirmTotp200JSONResponse{RecoveryCodes: codes}.VisitConfirmTotpResponse,
			Audit:  audit.Entry{Action: "second_factor.set", Resource: "user", ResourceID: c.Principal.UserID},
			Secret: true,
		}, err
	})
}

// DeleteTotp removes the second factor.
func (s Server) DeleteTotp(ctx context.Context, _ DeleteTotpRequestObject) (DeleteTotpResponseObject, error) {
	return s.changeAccount(ctx, func(ctx context.Context) (command.Outcome, error) {
		c := callctx.From(ctx)
		return command.Outcome{
			Answer: DeleteTotp204Response{}.VisitDeleteTotpResponse,
			Audit:  audit.Entry{Action: "second_factor.remove", Resource: "user", ResourceID: c.Principal.UserID},
		}, s.Factors.Own.Remove(ctx, c.Principal.UserID, c.AcceptLanguage)
	})
}

// CreateRecoveryCodes makes new recovery codes. The answer shows them, once.
func (s Server) CreateRecoveryCodes(ctx context.Context, _ CreateRecoveryCodesRequestObject) (CreateRecoveryCodesResponseObject, error) {
	return s.changeAccount(ctx, func(ctx context.Context) (command.Outcome, error) {
		c := callctx.From(ctx)
		codes, err := s.Factors.Own.RenewCodes(ctx, c.Principal.UserID, c.AcceptLanguage)
		return command.Outcome{
			Answer: CreateRecoveryCodes201JSONResponse{RecoveryCodes: codes}.VisitCreateRecoveryCodesResponse,
			Audit:  audit.Entry{Action: "second_factor.renew_codes", Resource: "user", ResourceID: c.Principal.UserID},
			Secret: true,
		}, err
	})
}

// GetSecondFactorDemand says whether a workspace demands a second factor.
func (s Server) GetSecondFactorDemand(ctx context.Context, _ GetSecondFactorDemandRequestObject) (GetSecondFactorDemandResponseObject, error) {
	demanded, err := s.Factors.Demand.Demands.FactorDemanded(ctx)
	return GetSecondFactorDemand200JSONResponse{Required: demanded}, foreign(err)
}

// PutSecondFactorDemand changes whether a workspace demands a second factor.
func (s Server) PutSecondFactorDemand(ctx context.Context, r PutSecondFactorDemandRequestObject) (PutSecondFactorDemandResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: PutSecondFactorDemand200JSONResponse{Required: r.Body.Required}.VisitPutSecondFactorDemandResponse,
			Audit: audit.Entry{Action: "workspace.demand_second_factor", Resource: "workspace", ResourceID: r.WorkspaceID, Changes: map[string]any{
				"required": r.Body.Required,
			}},
		}, s.Factors.Demand.Do(ctx, callctx.From(ctx).Principal.UserID, r.Body.Required)
	})
	return stored{answer}, foreign(err)
}

// changeAccount runs a change of the caller's own account: in the workspace of its session, whichever the call names, as the
// session is stored there. That of a caller in no workspace is not stored as an operation.
func (s Server) changeAccount(ctx context.Context, step func(ctx context.Context) (command.Outcome, error)) (stored, error) {
	p := callctx.From(ctx).Principal
	if p.HomeID == uuid.Nil {
		answer, err := s.Commands.RunUnstored(ctx, step)
		return stored{answer}, err
	}
	if p.WorkspaceID != p.HomeID { // the named workspace must still be one of the caller's
		if _, err := s.Users.Profile(ctx); err != nil {
			return stored{}, err
		}
	}
	answer, err := s.Commands.Run(callctx.InHomeWorkspace(ctx), step)
	return stored{answer}, err
}
