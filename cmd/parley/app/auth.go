package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	conversationsadapter "github.com/parley/parley/modules/auth/adapters/conversations"
	"github.com/parley/parley/modules/auth/adapters/devices"
	knowledgeadapter "github.com/parley/parley/modules/auth/adapters/knowledge"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/knowledge"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/ops/telemetry"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/jobs"
)

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

// knownClients looks up for the gateway which networks and devices have logged in before.
type knownClients struct {
	*postgres.Attempts
	devices.Devices
}

// identity finds out who makes a call.
type identity struct {
	tokens  *tokens.Tokens
	bearers *postgres.Bearers // the authenticator of access tokens and API keys
	clients knownClients
	tasks   []background.Task
}

func newIdentity(cfg *config.Config, db *postgresdb.DB, keys keyset, jwt string) (identity, error) {
	t, err := tokens.New(tokens.Options{
		Secret: jwt, Previous: cfg.JWTPrevious, Issuer: cfg.JWTIssuer, AccessTTL: cfg.AccessTTL, Now: now,
	})
	bearers := postgres.NewBearers(db, t, now)
	attempts := postgres.NewAttempts(db, keys.Current().Key("login attempts"))
	return identity{
		tokens: t, bearers: bearers, clients: knownClients{attempts, devices.Devices{Keys: keys.Keys("device tokens"), Now: now}},
		tasks: []background.Task{
			{Name: "note the use of API keys", Every: cfg.UpkeepInterval, Timeout: time.Minute, Do: bearers.WriteUses},
			{Name: "read the networks of log-ins", Every: time.Minute, Timeout: time.Minute, Do: attempts.ReadNetworks},
			{Name: "forget log-in attempts", Every: time.Hour, Timeout: time.Minute, Do: attempts.Forget},
		},
	}, err
}

// newOwnAccount wires the calls of users about their own accounts.
func newOwnAccount(o authOptions, accounts *postgres.Accounts, check usecases.PasswordCheck, transactions *postgres.Transactions) rest.OwnAccount {
	return rest.OwnAccount{
		Delete: usecases.DeleteAccount{
			Accounts: accounts, Check: check, Departure: postgres.NewDeparture(o.db, o.audit), Members: postgres.NewMembers(o.db),
			Authorities: postgres.NewAuthorities(o.db), Workspaces: postgres.NewWorkspaces(o.db), Transactions: transactions,
		},
		Data: postgres.NewOwnData(o.db), Now: now,
	}
}

// authOptions are the options of newAuth.
type authOptions struct {
	cfg      *config.Config
	log      *slog.Logger
	db       *postgresdb.DB
	keys     keyset
	identity identity

	passwords *argon2id.Passwords

	audit    *audit.Log
	commands *command.Pipeline
	cursors  page.Key
	limits   gateway.SessionLimiter // of refreshes
	jobs     *jobs.Queue
	threads  conversations.EndUserThreads
	files    knowledge.OwnedFiles
	quota    *usage.Quota
	purge    []purgeHook // of all modules
	counters counters
	tracing  *telemetry.Tracing
	guard    newGuard
}

// newEndUsers wires the calls about end users.
func newEndUsers(o authOptions, store *postgres.EndUsers) rest.EndUsers {
	return rest.EndUsers{
		Store: store, Merges: store, CreateToken: usecases.CreateEndUserToken{EndUsers: store, Tokens: o.identity.tokens, Now: now},
		Delete: usecases.DeleteEndUser{EndUsers: store, Threads: conversationsadapter.Threads{Face: o.threads}, Files: knowledgeadapter.Files{Face: o.files}},
	}
}

// sharedAddresses returns where the accounts of an address are looked up that several may have; nil where one has it.
func sharedAddresses(cfg *config.Config, users *postgres.Users) ports.SharedAddresses {
	if cfg.Verification != config.VerificationRequired {
		return nil
	}
	return users
}

// newAuth wires the module auth: users, sessions, workspaces, members, invitations and API keys.
func newAuth(o authOptions) (module, setUpLink, error) {
	passwords := o.passwords
	users, sessions, own := postgres.NewUsers(o.db), postgres.NewSessions(o.db), postgres.NewOwnSessions(o.db)
	events := postgres.NewAccountEvents(o.db)
	transactions, entries := postgres.NewTransactions(o.db), countedSessions{postgres.NewAudit(o.audit, events), o.counters.sessions}
	accounts := postgres.NewAccounts(o.db)
	factors, tickets := postgres.NewSecondFactors(o.db, o.keys.Box(boxOfFactors)), postgres.NewTickets(o.db)
	issuer := usecases.SessionIssuer{
		Sessions: sessions, Tokens: o.identity.tokens, Transactions: transactions, Audit: entries, Factors: factors, Tickets: tickets,
		IdleLife: o.cfg.RefreshTTL, Now: now,
		Devices: &usecases.NoticeDevice{
			Known: postgres.NewKnownDevices(o.db, now), Devices: o.identity.clients.Devices, Accounts: accounts, Emails: postgres.NewAccountEmails(o.db),
		},
	}
	check := usecases.PasswordCheck{Attempts: o.identity.clients.Attempts, Passwords: passwords, Devices: o.identity.clients.Devices}
	emails, err := newAccountEmails(o, usecases.ResetPassword{
		Control: postgres.NewOperator(o.db), Sessions: sessions, Events: events, Passwords: passwords, Links: postgres.NewAccountLinks(o.db),
	}, check, issuer)
	if err != nil {
		return module{}, nil, err
	}
	shared := sharedAddresses(o.cfg, users)
	calls, added := newWorkspaces(o, emails.mailing, usecases.AcceptInvitation{
		Users: users, Accounts: accounts, Check: check, Issuer: issuer, Verify: emails.verify, Closed: o.cfg.SignUp == config.SignUpClosed,
		Shared: shared,
	})
	endUsers := postgres.NewEndUsers(o.db, o.quota)
	signIn, expireSignIns := newSignIn(o, accounts, users, events, issuer)
	server := rest.Server{
		RegisterUser: usecases.RegisterUser{
			Users: users, Accounts: accounts, Check: check, Issuer: issuer, Verify: emails.verify, Closed: o.cfg.SignUp != config.SignUpOpen,
			Shared: shared,
		},
		LogIn: usecases.LogIn{Users: users, Accounts: accounts, Check: check, Events: events, Issuer: issuer, Shared: shared, Networks: o.identity.clients.Attempts},
		RefreshSession: usecases.RefreshSession{
			Sessions: sessions, Settler: sessions, Tokens: o.identity.tokens, Transactions: transactions, Audit: entries,
			Limits: o.limits, IdleLife: o.cfg.RefreshTTL, Now: now,
		},
		LogOut:      usecases.LogOut{Sessions: sessions, Transactions: transactions, Audit: entries, Now: now},
		EndOwn:      usecases.EndSession{Sessions: own},
		OwnAccount:  newOwnAccount(o, accounts, check, transactions),
		Passwords:   usecases.ChangePassword{Accounts: accounts, Check: check, Sessions: sessions, Emails: emails.queue, Links: postgres.NewAccountLinks(o.db)},
		Recover:     emails.recover,
		Verify:      emails.verify,
		SignIn:      signIn,
		Factors:     newFactorCalls(o, factors, issuer, check, emails.queue),
		Email:       emails.change,
		First:       newSetUp(o.db, o.keys, users, accounts, check, issuer),
		Workspaces:  calls.workspaces,
		Members:     calls.members,
		Invitations: calls.invitations,
		Keys:        calls.keys,
		EndUsers:    newEndUsers(o, endUsers),
		Users:       users,
		Sessions:    sessions,
		OwnSessions: own,
		Events:      events,
		Commands:    o.commands,
		Cursors:     o.cursors,
	}
	added.mount = func(e *echo.Echo) {
		server.Mount(e)
		emails.pages.Mount(e)
	}
	added.channels = append(added.channels, postgresdb.Channel{Name: "parley_keys", OnNotify: o.identity.bearers.OnKeyChanged})
	added.tasks = append(append(added.tasks, emails.tasks...), expireSignIns,
		background.Task{Name: "expire account events", Every: time.Hour, Timeout: 10 * time.Minute, Do: events.Expire},
		background.Task{Name: "expire tickets of log-ins", Every: time.Hour, Timeout: 10 * time.Minute, Do: tickets.Expire},
		background.Task{Name: "expire accounts without a proved address", Every: time.Hour, Timeout: 10 * time.Minute, Do: postgres.NewUnproved(o.db, o.audit, now).Expire},
		background.Task{Name: "expire anonymous end users", Every: time.Hour, Timeout: 10 * time.Minute, Do: func(ctx context.Context) error {
			return endUsers.Expire(ctx, now())
		}},
		background.Task{Name: "expire sessions", Every: time.Hour, Timeout: 10 * time.Minute, Do: sessions.Expire})
	return added, server.First.Link, nil
}
