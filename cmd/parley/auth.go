package main

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/contract"
)

func newTokens(p *platform) (*tokens.Tokens, error) {
	return tokens.New(tokens.Options{Secret: p.jwt, Issuer: p.cfg.JWTIssuer, AccessTTL: p.cfg.AccessTTL, Now: p.now})
}

// emailFormat has the contract check addresses as the domain does.
func emailFormat() contract.Format {
	return contract.Format{Name: "email", Check: func(text string) error {
		_, err := domain.NewEmail(text)
		return err
	}}
}

func mountAuth(e *echo.Echo, p *platform, t *tokens.Tokens) error {
	passwords, err := argon2id.New()
	if err != nil {
		return err
	}
	users, sessions := postgres.NewUsers(p.db), postgres.NewSessions(p.db)
	transactions, audit := postgres.NewTransactions(p.db), postgres.NewAudit(p.audit)
	opener := usecases.Opener{
		Sessions: sessions, Tokens: t, Transactions: transactions, Audit: audit, IdleLife: p.cfg.RefreshTTL, Now: p.now,
	}
	rest.Server{
		RegisterUser: usecases.RegisterUser{Users: users, Passwords: passwords, Opener: opener},
		LogIn:        usecases.LogIn{Users: users, Passwords: passwords, Opener: opener},
		RefreshSession: usecases.RefreshSession{
			Sessions: sessions, Tokens: t, Transactions: transactions, Audit: audit, IdleLife: p.cfg.RefreshTTL, Now: p.now,
		},
		LogOut:   usecases.LogOut{Sessions: sessions, Now: p.now},
		Users:    users,
		Commands: p.commands,
	}.Mount(e)
	return nil
}
