package app

import (
	"errors"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	"github.com/parley/parley/modules/auth/adapters/devices"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/contract"
	"github.com/parley/parley/platform/gateway"
)

func newTokens(p *platform) (*tokens.Tokens, error) {
	return tokens.New(tokens.Options{
		Secret: p.jwt, Previous: p.cfg.JWTPrevious, Issuer: p.cfg.JWTIssuer, AccessTTL: p.cfg.AccessTTL, Now: p.now,
	})
}

// formats returns the checks of addresses and passwords for the request validation, which are those of the domain.
func formats() []contract.Format {
	return []contract.Format{
		{Name: "email", Check: func(text string) error {
			_, err := domain.NewEmail(text)
			return err
		}},
		{Name: "password", Check: func(text string) error {
			_, err := domain.NewPassword(text)
			if errors.Is(err, domain.ErrPasswordLength) {
				return nil // minLength and maxLength check it
			}
			return err
		}},
	}
}

// visitors looks up for the gateway which networks and devices have logged in before.
type visitors struct {
	*postgres.Attempts
	devices.Devices
}

func newVisitors(p *platform) visitors {
	attempts := postgres.NewAttempts(p.db, p.ring.Current().Key("login attempts"))
	p.background.Every(time.Minute, time.Minute, "read the networks of log-ins", attempts.ReadNetworks)
	return visitors{attempts, devices.Devices{Keys: p.ring.Keys("device tokens"), Now: p.now}}
}

func mountAuth(e *echo.Echo, p *platform, t *tokens.Tokens, v visitors) error {
	passwords, err := argon2id.New()
	if err != nil {
		return err
	}
	users, sessions := postgres.NewUsers(p.db), postgres.NewSessions(p.db)
	events := postgres.NewAccountEvents(p.db)
	transactions, audit := postgres.NewTransactions(p.db), countedSessions{postgres.NewAudit(p.audit, events), p.metrics.sessions}
	accounts, attempts := postgres.NewAccounts(p.db), v.Attempts
	p.background.Every(time.Hour, time.Minute, "forget log-in attempts", attempts.Forget)
	p.background.Every(time.Hour, 10*time.Minute, "expire account events", events.Expire)
	p.background.Every(time.Hour, 10*time.Minute, "expire sessions", sessions.Expire)
	issuer := usecases.SessionIssuer{
		Sessions: sessions, Tokens: t, Transactions: transactions, Audit: audit, IdleLife: p.cfg.RefreshTTL, Now: p.now,
	}
	check := usecases.PasswordCheck{
		Attempts: attempts, Passwords: passwords, Devices: v.Devices,
	}
	people, err := newPeople(p, usecases.AcceptInvitation{
		Newcomers: users, Accounts: accounts, Check: check, Issuer: issuer,
	})
	if err != nil {
		return err
	}
	rest.Server{
		RegisterUser: usecases.RegisterUser{
			Users: users, Accounts: accounts, Check: check, Issuer: issuer,
		},
		LogIn: usecases.LogIn{
			Users: users, Accounts: accounts, Check: check, Events: events, Issuer: issuer,
		},
		RefreshSession: usecases.RefreshSession{
			Sessions: sessions, Settler: sessions, Tokens: t, Transactions: transactions, Audit: audit,
			Limits:   gateway.SessionLimiter{Limiter: p.limiter, Limit: p.limits.General},
			IdleLife: p.cfg.RefreshTTL, Now: p.now,
		},
		LogOut: usecases.LogOut{Sessions: sessions, Transactions: transactions, Audit: audit, Now: p.now},
		Passwords: usecases.ChangePassword{
			Accounts: accounts, Check: check, Sessions: sessions,
		},
		People:   people,
		Users:    users,
		Sessions: sessions,
		Commands: p.commands,
		Cursors:  cursorKey(p),
	}.Mount(e)
	return nil
}
