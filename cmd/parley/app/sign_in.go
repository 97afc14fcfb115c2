package app

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/parley/parley/modules/auth/adapters/oidc"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/work/background"
	"github.com/parley/parley/platform/work/resilience"
)

// Limits of the calls of identity providers.
const (
	providerTimeout = 10 * time.Second // of a sign-in: tokens, keys and what is known of the person
	providerCalls   = 16               // at once to one provider
)

// newSignIn wires the part of auth that has people sign in at identity providers.
func newSignIn(o authOptions, accounts *postgres.Accounts, users *postgres.Users, events ports.AccountEvents, issuer usecases.SessionIssuer) (rest.SignIn, background.Task) {
	client := &http.Client{Timeout: providerTimeout, Transport: o.tracing.Transport(http.DefaultTransport)}
	guard := o.guard("identity_provider", resilience.Policy{
		Timeout: providerTimeout, Concurrency: providerCalls, Wait: providerTimeout, Failures: breakAfter, OpenFor: o.cfg.BreakerOpen,
	})
	providers := oidc.New(identityProviders(o.cfg), o.cfg.PublicURL, client, guard, now)
	seals, signIns, identities := oidc.Seals{Box: o.keys.Box(boxOfSignIns)}, postgres.NewSignIns(o.db), postgres.NewIdentities(o.db)
	origins := o.cfg.ReturnOrigins()
	return rest.SignIn{
		Providers: providers,
		Begin:     usecases.BeginSignIn{Providers: providers, Seals: seals, Origins: origins, Now: now},
		Finish: usecases.FinishSignIn{
			Providers: providers, Seals: seals, SignIns: signIns, Origins: origins, Now: now,
			Report: func(ctx context.Context, provider string, err error) {
				o.log.WarnContext(ctx, "sign-in at an identity provider failed", "provider", provider, "error", err)
			},
		},
		Exchange: usecases.ExchangeSignIn{
			SignIns: signIns, Seals: seals, Identities: identities, Users: users, Accounts: accounts, Attempts: o.identity.clients.Attempts, Events: events,
			Notices: usecases.AccountNotices{Emails: postgres.NewAccountEmails(o.db)}, Issuer: issuer, Closed: o.cfg.SignUp != config.SignUpOpen, Shared: o.cfg.Verification == config.VerificationRequired,
			Roles: usecases.AssignRoles{
				Providers: providers, Members: postgres.NewMembers(o.db), Joins: postgres.NewJoins(o.db, o.quota), Authorities: postgres.NewAuthorities(o.db),
				Transactions: issuer.Transactions, Audit: postgres.NewAudit(o.audit, postgres.NewAccountEvents(o.db)), Log: o.log, Now: now,
			},
		},
		Identities: identities,
		Unlink:     usecases.UnlinkIdentity{Providers: providers, Identities: identities, Events: events, Transactions: issuer.Transactions},
		Secure:     strings.HasPrefix(o.cfg.PublicURL, "https://"),
	}, background.Task{Name: "expire sign-ins", Every: 10 * time.Minute, Timeout: time.Minute, Do: signIns.Expire}
}

// identityProviders returns the settings of the identity providers that are configured.
func identityProviders(cfg *config.Config) []oidc.Settings {
	var list []oidc.Settings
	for _, p := range cfg.OIDCProviders() {
		one := oidc.Settings{
			IdentityProvider: domain.IdentityProvider{ID: p.ID, Name: p.Name, Issuer: p.Issuer},
			ClientID:         p.ClientID, ClientSecret: p.ClientSecret, Scopes: p.Scopes, GroupsClaim: p.GroupsClaim, VerifiedClaim: p.VerifiedClaim,
		}
		for _, r := range p.Roles {
			one.Roles = append(one.Roles, domain.GroupRole{Group: r.Group, WorkspaceID: r.Workspace, Role: domain.Role(r.Role)})
		}
		list = append(list, one)
	}
	return list
}
