package app

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

// usersCommand is parley users.
func usersCommand(k operatorCommands) *cli.Command {
	email := func() cli.Flag { return &cli.StringFlag{Name: "email", Usage: "the user's address"} }
	who := func() []cli.Flag { return []cli.Flag{&cli.StringFlag{Name: "user", Usage: "the user's id"}, email()} }
	link := func() cli.Flag {
		return &cli.BoolFlag{Name: "link", Usage: "print a link with which the user sets the password, instead of a password; it works once, for an hour"}
	}
	stdin := func() cli.Flag {
		return &cli.BoolFlag{Name: "password-stdin", Usage: "read the password from standard input; without it a password is generated, and printed once"}
	}
	return k.group("users", "list and create users, reset passwords, lock users out",
		k.command("list", "list all users, or the members of one workspace", listUsers, optionalWorkspace, workspaceFlag()),
		k.command("create", "create a user with a workspace", createUser, func(c *cli.Command) error {
			if c.String("email") == "" {
				return errors.New("--email: should be the user's address")
			}
			return nil
		}, email(), &cli.StringFlag{Name: "workspace", Aliases: []string{"workspace-name"}, Value: "Workspace", Usage: "what its workspace is called"}, stdin(), link()),
		k.command("reset-password", "set another password and end all sessions of the user", resetPassword, checkUser, append(who(), stdin(), link())...),
		k.command("remove-factor", "remove a second factor that the user has lost; the user gets a notice by email", removeFactor, checkUser, who()...),
		k.command("disable", "end all sessions, refuse log-ins, suspend the API keys that the user is responsible for", disableUser, checkUser, who()...),
		k.command("enable", "revert disable; invitations stay revoked", enableUser, checkUser, who()...),
	)
}

func checkUser(c *cli.Command) error {
	if (c.String("user") == "") == (c.String("email") == "") {
		return errors.New("say either --user, with its id, or --email, with its address")
	}
	return checkIDs(c, false, "user")
}

// userLine is a user as it is printed.
type userLine struct {
	ID         uuid.UUID   `json:"id"`
	Email      string      `json:"email"`
	CreatedAt  time.Time   `json:"created_at"`
	DisabledAt *time.Time  `json:"disabled_at"`
	Workspaces []uuid.UUID `json:"workspace_ids"`
}

func listUsers(ctx context.Context, c *cli.Command, o *operator) error {
	line := func(user uuid.UUID) error {
		ctx := callctx.As(ctx, uuid.Nil, user)
		u, err := o.admin.User(ctx)
		if errors.Is(err, ports.ErrNoUser) { // the user was removed in the meantime
			return nil
		}
		if err != nil {
			return err
		}
		workspaces, err := o.admin.WorkspacesOf(ctx)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s %s, created %s, in %d workspaces", u.ID, u.Email, u.CreatedAt.UTC().Format(time.RFC3339), len(workspaces))
		if u.DisabledAt != nil {
			text += ", disabled " + u.DisabledAt.UTC().Format(time.RFC3339)
		}
		return o.print(userLine{
			ID: u.ID, Email: u.Email, CreatedAt: u.CreatedAt.UTC(), DisabledAt: inUTC(u.DisabledAt), Workspaces: append([]uuid.UUID{}, workspaces...),
		}, text)
	}
	if c.String("workspace") == "" {
		return eachID(ctx, o.admin.AllUsers, line)
	}
	return o.eachWorkspace(ctx, c, func(ctx context.Context, _ uuid.UUID) error {
		people, err := o.people(ctx)
		if err != nil {
			return err
		}
		for _, p := range people {
			if err := line(p.UserID); err != nil {
				return err
			}
		}
		return nil
	})
}

// findUser finds the user that --user or --email names.
func (o *operator) findUser(ctx context.Context, c *cli.Command) (domain.User, error) {
	if c.String("user") != "" {
		return o.admin.User(callctx.As(ctx, uuid.Nil, uuid.MustParse(c.String("user"))))
	}
	email, err := domain.GivenEmail(c.String("email"))
	if err != nil {
		return domain.User{}, usageError{fmt.Errorf("--email: %w", err)}
	}
	login, err := authpostgres.NewUsers(o.db).FindLogin(ctx, email, uuid.Nil)
	if err != nil {
		return domain.User{}, err
	}
	if login == nil {
		return domain.User{}, ports.ErrNoUser
	}
	return o.admin.User(callctx.As(ctx, uuid.Nil, login.UserID))
}

// readPassword reads a password from standard input, or makes one; made reports which.
func readPassword(c *cli.Command) (text string, made bool, err error) {
	if !c.Bool("password-stdin") {
		return strings.ToLower(rand.Text()), true, nil
	}
	line, err := bufio.NewReader(io.LimitReader(c.Root().Reader, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, fmt.Errorf("read the password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), false, nil
}

// printUser prints what was done to a user. A generated password is printed here and nowhere else.
func (o *operator) printUser(value map[string]any, text, password string, made bool) error {
	if made {
		value["password"] = password
		text += "; the password is " + password
	}
	return o.print(value, text)
}

// printLink makes a link to set the password of a user, and prints it. Nothing is sent.
func (o *operator) printLink(ctx context.Context, u domain.User, value map[string]any) error {
	link, token := domain.NewResetLink(u.ID, u.Email, now())
	err := o.db.Write(callctx.As(ctx, uuid.Nil, u.ID), func(ctx context.Context) error {
		if err := authpostgres.NewAccountLinks(o.db).Replace(ctx, link); err != nil {
			return err
		}
		return authpostgres.NewAccountEvents(o.db).Record(ctx, domain.AccountEvent{UserID: u.ID, Action: "password.make_link"})
	})
	if err != nil {
		return err
	}
	value["id"], value["email"], value["expires_at"] = u.ID, u.Email, link.ExpiresAt
	value["link"] = usecases.ResetURL(o.cfg.PublicURL, token)
	return o.print(value, fmt.Sprintf("user %s sets the password, until %s, at %s", u.ID, link.ExpiresAt.UTC().Format(time.RFC3339), value["link"]))
}

func createUser(ctx context.Context, c *cli.Command, o *operator) error {
	passwords, err := argon2id.New()
	if err != nil {
		return err
	}
	text, made, err := readPassword(c)
	if err != nil {
		return err
	}
	create := usecases.CreateUser{Users: authpostgres.NewUsers(o.db), Accounts: authpostgres.NewAccounts(o.db), Passwords: passwords, Now: now}
	r, err := create.Prepare(ctx, c.String("email"), text, c.String("workspace"))
	if err != nil {
		return err
	}
	err = o.db.Write(callctx.As(ctx, r.WorkspaceID, r.UserID), func(ctx context.Context) error {
		if err := create.Do(ctx, r); err != nil {
			return err
		}
		return o.record(ctx, r.WorkspaceID, audit.Entry{Action: "user.register", Resource: "user", ResourceID: r.UserID})
	})
	if err != nil {
		return err
	}
	if c.Bool("link") {
		return o.printLink(ctx, domain.User{ID: r.UserID, Email: r.Email.String()}, map[string]any{"workspace_id": r.WorkspaceID})
	}
	return o.printUser(map[string]any{"id": r.UserID, "email": r.Email.String(), "workspace_id": r.WorkspaceID},
		fmt.Sprintf("user %s is created, with the workspace %s", r.UserID, r.WorkspaceID), text, made)
}

func resetPassword(ctx context.Context, c *cli.Command, o *operator) error {
	passwords, err := argon2id.New()
	if err != nil {
		return err
	}
	u, err := o.findUser(ctx, c)
	if err != nil {
		return err
	}
	if c.Bool("link") {
		return o.printLink(ctx, u, map[string]any{})
	}
	text, made, err := readPassword(c)
	if err != nil {
		return err
	}
	reset := usecases.ResetPassword{
		Control: o.admin, Sessions: authpostgres.NewSessions(o.db), Events: authpostgres.NewAccountEvents(o.db), Passwords: passwords,
		Links: authpostgres.NewAccountLinks(o.db),
	}
	hash, err := reset.Prepare(ctx, u.Email, text)
	if err != nil {
		return err
	}
	sessions := 0
	err = o.db.Write(callctx.As(ctx, uuid.Nil, u.ID), func(ctx context.Context) (err error) {
		sessions, err = reset.Do(ctx, u.ID, hash)
		return err
	})
	if err != nil {
		return err
	}
	return o.printUser(map[string]any{"id": u.ID, "email": u.Email, "sessions_ended": sessions},
		fmt.Sprintf("user %s has another password, %d sessions ended", u.ID, sessions), text, made)
}

func (o *operator) disabling() usecases.DisableUser {
	return usecases.DisableUser{
		Control: o.admin, Sessions: authpostgres.NewSessions(o.db), Events: authpostgres.NewAccountEvents(o.db),
		Members: authpostgres.NewMembers(o.db), Authorities: authpostgres.NewAuthorities(o.db),
	}
}

func disableUser(ctx context.Context, c *cli.Command, o *operator) error {
	u, err := o.findUser(ctx, c)
	if err != nil {
		return err
	}
	disable, sessions := o.disabling(), 0
	err = o.db.Write(callctx.As(ctx, uuid.Nil, u.ID), func(ctx context.Context) (err error) {
		sessions, err = disable.Disable(ctx, u.ID)
		return err
	})
	if err != nil {
		return err
	}
	ended, err := o.inWorkspacesOf(ctx, u.ID, "user.disable", disable.Suspend)
	if err != nil {
		return fmt.Errorf("the user is locked out, but not all of its API keys are suspended, run this again: %w", err)
	}
	return o.print(map[string]any{
		"id": u.ID, "email": u.Email, "disabled": true, "sessions_ended": sessions, "api_keys": ended.Keys, "subscriptions": ended.Subscriptions,
		"invitations": ended.Invitations,
	}, fmt.Sprintf("user %s is disabled: %d sessions ended, %d API keys suspended, %d webhook subscriptions held, %d invitations revoked",
		u.ID, sessions, ended.Keys, ended.Subscriptions, ended.Invitations))
}

func enableUser(ctx context.Context, c *cli.Command, o *operator) error {
	u, err := o.findUser(ctx, c)
	if err != nil {
		return err
	}
	if u.DisabledAt == nil {
		return errors.New("the user is not disabled")
	}
	enable := o.disabling()
	ended, err := o.inWorkspacesOf(ctx, u.ID, "user.enable", func(ctx context.Context, user uuid.UUID) (domain.Ended, error) {
		return enable.Restore(ctx, user, *u.DisabledAt)
	})
	if err != nil {
		return err
	}
	err = o.db.Write(callctx.As(ctx, uuid.Nil, u.ID), func(ctx context.Context) error { return enable.Enable(ctx, u.ID) })
	if err != nil {
		return err
	}
	return o.print(map[string]any{
		"id": u.ID, "email": u.Email, "disabled": false, "api_keys": ended.Keys, "subscriptions": ended.Subscriptions,
	}, fmt.Sprintf("user %s is enabled: %d API keys and %d webhook subscriptions work again", u.ID, ended.Keys, ended.Subscriptions))
}

// inWorkspacesOf runs a step in each workspace of a user, each in a transaction of its own with a row in its audit log,
// and adds up the results.
func (o *operator) inWorkspacesOf(ctx context.Context, user uuid.UUID, action string, step func(context.Context, uuid.UUID) (domain.Ended, error)) (all domain.Ended, err error) {
	workspaces, err := o.admin.WorkspacesOf(callctx.As(ctx, uuid.Nil, user))
	if err != nil {
		return all, err
	}
	for _, workspace := range workspaces {
		var done domain.Ended
		err := o.db.Write(callctx.As(ctx, workspace, uuid.Nil), func(ctx context.Context) (err error) {
			if done, err = step(ctx, user); err != nil {
				return err
			}
			return o.record(ctx, workspace, audit.Entry{Action: action, Resource: "user", ResourceID: user, Changes: map[string]any{
				"api_keys": done.Keys, "subscriptions": done.Subscriptions, "invitations": done.Invitations,
			}})
		})
		if err != nil {
			return all, err
		}
		all.Keys, all.Subscriptions, all.Invitations = all.Keys+done.Keys, all.Subscriptions+done.Subscriptions, all.Invitations+done.Invitations
	}
	return all, nil
}
