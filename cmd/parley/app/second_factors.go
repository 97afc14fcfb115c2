package app

import (
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/adapters/totp"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/usecases"
)

// issuerOfFactors is who an account is with, as authenticator apps show it.
const issuerOfFactors = "Parley"

// newFactorCalls wires the part of auth that is about second factors.
func newFactorCalls(o authOptions, factors *postgres.SecondFactors, issuer usecases.SessionIssuer, check usecases.PasswordCheck, emails *postgres.AccountEmails) rest.FactorCalls {
	accounts, recovery, events := postgres.NewAccounts(o.db), postgres.NewRecoveryCodes(o.db), postgres.NewAccountEvents(o.db)
	codes, notices := totp.Codes{Issuer: issuerOfFactors}, usecases.AccountNotices{Emails: emails}
	verify := usecases.FactorCheck{
		Factors: factors, Recovery: recovery, Codes: codes, Attempts: check.Attempts, Transactions: issuer.Transactions, Now: now,
	}
	return rest.FactorCalls{
		Finish: usecases.FinishLogIn{Accounts: accounts, Devices: check.Devices, Check: verify, Notices: notices, Events: events, Issuer: issuer},
		Renew:  usecases.Reauthenticate{Accounts: accounts, Check: check, Factor: verify, Notices: notices, Sessions: issuer.Sessions, Now: now},
		Own: usecases.SecondFactors{
			Authenticators: factors, Factors: factors, Recovery: recovery, Codes: codes, Sessions: issuer.Sessions, Events: events,
			Notices: notices, Now: now,
		},
		Demand: usecases.DemandSecondFactor{Demands: postgres.NewWorkspaces(o.db), Factors: factors},
	}
}
