package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/parley/parley/modules/activity/adapters/archives"
	"github.com/parley/parley/modules/activity/adapters/postgres"
	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/usecases"
	authpostgres "github.com/parley/parley/modules/auth/adapters/postgres"
	authdomain "github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/ops/config"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

// importCommand is parley import.
func importCommand(k operatorCommands) *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "make a workspace of an archive that another installation has exported", ArgsUsage: "<archive>", OnUsageError: k.wrong,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "workspace", Usage: "what the workspace is called; without it, as it was"},
			&cli.StringFlag{Name: "owner", Usage: "the address of its owner, who has an account here; without it, that of the first owner in the archive"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object a line"},
		},
		Action: k.withArgument(func(ctx context.Context, c *cli.Command, cfg *config.Config) error {
			if c.Args().Len() != 1 {
				return usageError{errors.New("say which archive to import, after all flags: parley import --owner ada@example.com workspace.zip")}
			}
			return k.open(ctx, c, cfg, importWorkspace)
		}),
	}
}

// importLine is a workspace that was imported, as it is printed.
type importLine struct {
	WorkspaceID uuid.UUID        `json:"workspace_id"`
	Name        string           `json:"name"`
	OwnerID     uuid.UUID        `json:"owner_id"`
	Imported    map[string]int64 `json:"imported"` // rows by kind
	LeftOut     map[string]int64 `json:"left_out"`
}

func importWorkspace(ctx context.Context, c *cli.Command, o *operator) error {
	archive, err := os.Open(c.Args().First())
	if err != nil {
		return usageError{fmt.Errorf("the archive cannot be read: %w", err)}
	}
	defer archive.Close()
	info, err := archive.Stat()
	if err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	files, err := openFiles(ctx, o.cfg, guards(o.log, nil), o.closing)
	if err != nil {
		return err
	}
	work := usecases.ImportWorkspace{
		Import: postgres.Import{DB: o.db, Quota: o.quota(), Audit: o.audit, Now: now}, Files: archives.ImportedFiles{Store: files.Store}, Transactions: o.db,
		In: callctx.As,
	}
	found, err := work.Check(archive, info.Size())
	if err != nil {
		return err
	}
	if c.String("owner") == "" && len(found.Owners) == 0 {
		return usageError{errors.New("--owner: should be given, as the archive names no owner")}
	}
	owner, err := o.ownerOf(ctx, cmp.Or(c.String("owner"), append(found.Owners, "")[0]))
	if err != nil {
		return err
	}
	name := cmp.Or(strings.TrimSpace(c.String("workspace")), found.Name)
	if n := len([]rune(name)); n < 1 || n > 200 {
		return usageError{errors.New("--workspace: should have 1 to 200 characters")}
	}
	id, err := work.Do(ctx, found, name, owner)
	if limit, ok := errors.AsType[*fail.Error](err); ok && errors.Is(err, fail.ErrLimitReached) {
		return fmt.Errorf("nothing was imported: %w: raise the limit of this installation (%v)", err, limit.Details["metric"])
	}
	if err != nil {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	line := importLine{WorkspaceID: id, Name: name, OwnerID: owner, Imported: map[string]int64{}, LeftOut: map[string]int64{}}
	for _, kind := range domain.RowKinds() {
		counts := map[bool]map[string]int64{true: line.Imported, false: line.LeftOut}[kind.Import]
		counts[kind.Name] = found.Counts[kind.Name]
	}
	return o.print(line, fmt.Sprintf("workspace %s %q of the owner %s\nimported: %s\nleft out: %s\ndocuments are indexed by the server from now on",
		id, name, owner, counted(line.Imported), counted(line.LeftOut)))
}

// counted lists counts by their names.
func counted(counts map[string]int64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(list, ", ")
}

// ownerOf finds the account of an address. One that is disabled can own nothing.
func (o *operator) ownerOf(ctx context.Context, address string) (uuid.UUID, error) {
	email, err := authdomain.GivenEmail(address)
	if err != nil {
		return uuid.Nil, usageError{fmt.Errorf("--owner: %w", err)}
	}
	login, err := authpostgres.NewUsers(o.db).FindLogin(ctx, email, uuid.Nil)
	if err != nil {
		return uuid.Nil, err
	}
	if login == nil {
		return uuid.Nil, usageError{fmt.Errorf("--owner: %s has no account here: make one first, with parley users create", address)}
	}
	user, err := o.admin.User(callctx.As(ctx, uuid.Nil, login.UserID))
	if err != nil {
		return uuid.Nil, err
	}
	if user.DisabledAt != nil {
		return uuid.Nil, ports.ErrAccountDisabled
	}
	return user.ID, nil
}
