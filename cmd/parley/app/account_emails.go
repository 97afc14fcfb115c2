package app

import (
	"time"

	"github.com/parley/parley/modules/auth/adapters/emailtext"
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/entrypoints/pages"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/work/background"
)

// mailing has what emails are written, counted and sent with.
type mailing struct {
	limits *postgres.MailLimits
	texts  ports.EmailTexts
	mailer ports.Mailer
}

func newMailing(o authOptions) (m mailing, err error) {
	m.limits = postgres.NewMailLimits(o.db, o.keys.Current().Key("mail limits"), now)
	if m.texts, err = emailtext.New(); err != nil {
		return m, err
	}
	m.mailer, err = newMailer(o.cfg, o.log)
	return m, err
}

// accountEmails is the part of auth that proves who owns an address, by emails.
type accountEmails struct {
	mailing
	queue   *postgres.AccountEmails
	verify  usecases.VerifyEmail
	recover usecases.RecoverPassword
	change  usecases.ChangeEmail
	pages   pages.Pages // that the links of the emails open
	tasks   []background.Task
}

func newAccountEmails(o authOptions, reset usecases.ResetPassword, check usecases.PasswordCheck, issuer usecases.SessionIssuer) (accountEmails, error) {
	mail, err := newMailing(o)
	if err != nil {
		return accountEmails{}, err
	}
	site, err := pages.New()
	if err != nil {
		return accountEmails{}, err
	}
	queue, links, accounts := postgres.NewAccountEmails(o.db), postgres.NewAccountLinks(o.db), postgres.NewAccounts(o.db)
	changes := postgres.NewAddressChanges(o.db)
	account := usecases.AccountCheck{Accounts: accounts, Check: check, Transactions: issuer.Transactions}
	codes := o.keys.Current().Key("codes of emails")
	send := usecases.SendAccountEmails{
		Emails: queue, Links: links, Changes: changes, Users: postgres.NewUsers(o.db), Accounts: accounts, Limits: mail.limits, Devices: postgres.NewKnownDevices(o.db, now), Texts: mail.texts, Mailer: mail.mailer,
		Transactions: issuer.Transactions, PublicURL: o.cfg.PublicURL, CodeKey: codes, Log: o.log, Now: now,
		VerifiedOnly: o.cfg.Verification == config.VerificationRequired,
	}
	return accountEmails{
		mailing: mail, queue: queue, pages: site,
		verify: usecases.VerifyEmail{
			Emails: queue, Links: links, Accounts: accounts, Events: reset.Events, Transactions: issuer.Transactions, Account: account, CodeKey: codes,
			Off: o.cfg.Verification == config.VerificationOff, Now: now,
		},
		change: usecases.ChangeEmail{
			Accounts: accounts, Check: check, Account: account, Emails: queue, Links: links, Changes: changes, Limits: mail.limits, Sessions: reset.Sessions,
			Events: reset.Events, Transactions: issuer.Transactions, Now: now,
		},
		recover: usecases.RecoverPassword{
			Emails: queue, Links: links, Accounts: accounts, Reset: reset, Issuer: issuer, Check: check,
			Distrust: usecases.DistrustAccount{
				Departure: postgres.NewDeparture(o.db, o.audit), Authorities: postgres.NewAuthorities(o.db),
				Authenticators: postgres.NewSecondFactors(o.db, o.keys.Box(boxOfFactors)), Identities: postgres.NewIdentities(o.db),
				Members: postgres.NewMembers(o.db), Audit: postgres.NewAudit(o.audit, postgres.NewAccountEvents(o.db)),
			},
		},
		tasks: []background.Task{
			{Name: "send emails about accounts", Every: o.cfg.JobPoll, Timeout: 15 * time.Minute, Do: send.Do},
			{Name: "expire links of emails", Every: time.Hour, Timeout: 10 * time.Minute, Do: links.Expire},
			{Name: "forget counts of emails", Every: time.Hour, Timeout: time.Minute, Do: mail.limits.Forget},
		},
	}, nil
}
