package app

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/usecases"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/config"
)

func newSetUp(db *postgresdb.DB, keys keyset, users *postgres.Users, accounts *postgres.Accounts, check usecases.PasswordCheck, issuer usecases.SessionIssuer) usecases.SetUp {
	return usecases.SetUp{
		Store: postgres.NewSetUp(db), Check: check, Issuer: issuer, Key: keys.Current().Key("set-up links"),
		Create: usecases.CreateUser{Users: users, Accounts: accounts, Passwords: check.Passwords, Now: now},
	}
}

// setUpLink makes a link to make the first account.
type setUpLink func(ctx context.Context) (token string, until time.Time, err error)

// printSetUp logs a link to make the first account, where there is none and people cannot register. It is the one secret that
// the log has: without an account there is no other way to give it to the operator.
func printSetUp(ctx context.Context, cfg *config.Config, log *slog.Logger, link setUpLink, listening net.Addr) {
	if cfg.SignUp == config.SignUpOpen {
		return
	}
	token, until, err := link(ctx)
	if err != nil {
		log.WarnContext(ctx, "set-up link not made", "error", err)
		return
	}
	if token != "" {
		log.InfoContext(ctx, "set-up link made: nobody has an account yet, and who opens it makes the first one",
			"link", usecases.SetUpURL(reachedAt(cfg, listening), token), "until", until)
	}
}

// reachedAt returns PUBLIC_URL, or where the program listens.
func reachedAt(cfg *config.Config, listening net.Addr) string {
	if cfg.PublicURL != "http://"+cfg.HTTPAddr {
		return cfg.PublicURL
	}
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return cfg.PublicURL
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
