package app

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/adapters/maillog"
	"github.com/parley/parley/modules/auth/adapters/outbox"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/adapters/smtp"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/entrypoints/jobs"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/modules/knowledge/adapters/blobs"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/gateway"
)

// permissions returns, for the gateway, which roles and API keys have which permission. The gateway itself has no
// roles.
func permissions() map[string]gateway.Permission {
	all := map[string]gateway.Permission{}
	for _, rule := range domain.Rules() {
		p := gateway.Permission{Keys: map[domain.KeyUse]call.Keys{domain.WholeKey: call.WholeKey, domain.AnyKey: call.AnyKey}[rule.Keys]}
		for _, role := range rule.Roles() {
			p.Roles = append(p.Roles, string(role))
		}
		all[string(rule.Permission)] = p
	}
	return all
}

func newPeople(p *platform, accept usecases.AcceptInvitation) (rest.People, error) {
	workspaces, members := postgres.NewWorkspaces(p.db), postgres.NewMembers(p.db)
	letters := outbox.Outbox{Queue: p.jobs, Box: p.ring.Box(boxOfLetters)}
	mailer, err := newMailer(p)
	if err != nil {
		return rest.People{}, err
	}
	if err := (jobs.SendLetter{Mailer: mailer, Open: letters.Open}).Register(p.kinds, outbox.Kind); err != nil {
		return rest.People{}, err
	}
	purge := usecases.PurgeWorkspaces{Removal: workspaces, Elsewhere: p.purges, Purged: func(ctx context.Context, workspace uuid.UUID, rows int64, done bool) {
		p.log.InfoContext(ctx, "a workspace is purged", "workspace", workspace, "rows", rows, "nothing_left", done)
		p.metrics.purged(float64(rows))
	}}
	p.background.Every(p.cfg.UpkeepInterval, 15*time.Minute, "purge workspaces", purge.Do)
	accept.Invitations = postgres.NewInvitations(p.db, p.meter)
	authorities := postgres.NewAuthorities(p.db)
	accept.Inviters = authorities
	mail := postgres.NewMailLimits(p.db, p.ring.Current().Key("mail limits"), p.now)
	p.background.Every(time.Hour, time.Minute, "forget counts of emails", mail.Forget)
	keys := postgres.NewKeys(p.db, p.meter)
	return rest.People{
		Create:     usecases.CreateWorkspace{Workspaces: workspaces, Now: p.now},
		Rename:     usecases.RenameWorkspace{Workspaces: workspaces},
		ChangeRole: usecases.ChangeRole{Members: members, Authorities: authorities},
		Remove:     usecases.RemoveMember{Members: members, Authorities: authorities},
		CreateKey:  usecases.CreateAPIKey{Keys: keys, Now: p.now},
		Keys:       keys,
		Invite: usecases.InvitePerson{
			Workspaces: workspaces, Members: members, Invitations: accept.Invitations, Mail: mail, Outbox: letters,
			Daily: p.cfg.LimitInvites, Now: p.now,
		},
		Accept:      accept,
		Invitations: accept.Invitations,
		Workspaces:  workspaces,
		Removal:     workspaces,
		Members:     members,
		Authorities: authorities,
	}, nil
}

// newMailer returns the configured mail server, or a mailer that only logs.
func newMailer(p *platform) (ports.Mailer, error) {
	if p.cfg.SMTPURL == "" {
		return maillog.Mailer{Log: p.log}, nil
	}
	return smtp.New(p.cfg.SMTPURL, p.cfg.MailFrom)
}

// newBearers returns the authenticator of access tokens and API keys.
func newBearers(p *platform, t *tokens.Tokens) *postgres.Bearers {
	bearers := postgres.NewBearers(p.db, t, p.now)
	p.background.Every(p.cfg.UpkeepInterval, time.Minute, "note the use of API keys", bearers.WriteUses)
	return bearers
}

// purgeElsewhere registers the data of a purged workspace that is outside the database: the bytes of its files, and its
// counts in a ClickHouse.
func (p *platform) purgeElsewhere() {
	p.purges = append(p.purges, blobs.Bytes{Store: p.blobs}.Forget)
	if p.anchor != nil {
		p.purges = append(p.purges, p.anchor.Forget)
	}
	if p.clickhouse != nil {
		p.purges = append(p.purges, p.clickhouse.Forget)
	}
}
