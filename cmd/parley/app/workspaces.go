package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/adapters/maillog"
	"github.com/parley/parley/modules/auth/adapters/outbox"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/adapters/smtp"
	"github.com/parley/parley/modules/auth/entrypoints/jobs"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/work/background"
	queue "github.com/parley/parley/platform/work/jobs"
)

// workspaceCalls has what the calls of auth about workspaces need.
type workspaceCalls struct {
	workspaces  rest.Workspaces
	members     rest.Members
	invitations rest.Invitations
	keys        rest.Keys
}

// newWorkspaces wires the part of auth that is about workspaces, their members, invitations and API keys.
func newWorkspaces(o authOptions, mail mailing, accept usecases.AcceptInvitation) (workspaceCalls, module) {
	workspaces, members := postgres.NewWorkspaces(o.db), postgres.NewMembers(o.db)
	emails := outbox.Outbox{Queue: o.jobs, Box: o.keys.Box(boxOfEmails)}
	purge := usecases.PurgeWorkspaces{Removal: workspaces, Elsewhere: o.purge, Purged: func(ctx context.Context, workspace uuid.UUID, rows int64, done bool) {
		o.log.InfoContext(ctx, "a workspace is purged", "workspace", workspace, "rows", rows, "nothing_left", done)
		o.counters.purged(float64(rows))
	}}
	accept.Invitations = postgres.NewInvitations(o.db, o.quota)
	authorities := postgres.NewAuthorities(o.db)
	accept.Authorities = authorities
	keys := postgres.NewKeys(o.db, o.quota)
	added := module{
		handlers: []jobHandler{func(r *queue.Registry) error {
			return jobs.SendEmail{Mailer: mail.mailer, Open: emails.Open}.Register(r, outbox.Kind)
		}},
		tasks: []background.Task{
			{Name: "purge workspaces", Every: o.cfg.UpkeepInterval, Timeout: 15 * time.Minute, Do: purge.Do},
		},
	}
	return workspaceCalls{
		workspaces: rest.Workspaces{
			Create:  usecases.CreateWorkspace{Workspaces: workspaces, Now: now},
			Rename:  usecases.RenameWorkspace{Workspaces: workspaces},
			Store:   workspaces,
			Removal: workspaces,
		},
		members: rest.Members{
			ChangeRole:  usecases.ChangeRole{Members: members, Authorities: authorities},
			Remove:      usecases.RemoveMember{Members: members, Authorities: authorities},
			Store:       members,
			Authorities: authorities,
		},
		invitations: rest.Invitations{
			Invite: usecases.InvitePerson{
				Workspaces: workspaces, Members: members, Invitations: accept.Invitations, Mail: mail.limits, Texts: mail.texts, Outbox: emails,
				PublicURL: o.cfg.StatedURL(), Daily: o.cfg.LimitInvites, Now: now, Accounts: accept.Accounts, Verified: o.cfg.Verification == config.VerificationRequired,
				Mailed: o.cfg.Verification == config.VerificationRequired && o.cfg.SMTPURL != "",
			},
			Accept: accept,
			Store:  accept.Invitations,
		},
		keys: rest.Keys{Create: usecases.CreateAPIKey{Keys: keys, Now: now}, Change: usecases.ChangeAPIKey{Keys: keys}, Store: keys, Now: now},
	}, added
}

// newMailer returns the configured mail server, or a mailer that only logs.
func newMailer(cfg *config.Config, log *slog.Logger) (ports.Mailer, error) {
	if cfg.SMTPURL == "" {
		return maillog.Mailer{Log: log}, nil
	}
	return smtp.New(cfg.SMTPURL, cfg.MailFrom)
}
