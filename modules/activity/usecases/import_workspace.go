package usecases

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// ImportWorkspace makes a workspace of an archive, as a whole or not at all. It checks every row before it stores the first one.
// Ids stay, as they are of one workspace each, but for the id of the workspace itself.
type ImportWorkspace struct {
	Import       ports.Import
	Files        ports.ImportedFiles
	Transactions ports.Transactions
	// In returns a context for work in a workspace for a user.
	In func(ctx context.Context, workspace, user uuid.UUID) context.Context
}

// ArchiveSummary is what an archive that was checked has.
type ArchiveSummary struct {
	WorkspaceID uuid.UUID // of the workspace that was exported
	Name        string
	Owners      []string         // addresses
	Counts      map[string]int64 // rows by kind

	archive *archiveReader
	files   []ports.FileBytes
	bytes   int64
}

// Check reads a whole archive but for the bytes of files. It returns ErrArchive.
func (u ImportWorkspace) Check(content io.ReaderAt, size int64) (s ArchiveSummary, err error) {
	if s.archive, err = openArchive(content, size); err != nil {
		return s, err
	}
	s.WorkspaceID, s.Counts = s.archive.manifest.WorkspaceID, map[string]int64{}
	for _, kind := range domain.RowKinds() {
		if err := s.archive.read(kind, func(row map[string]json.RawMessage) error { return s.note(kind.Name, row) }); err != nil {
			return s, err
		}
		s.Counts[kind.Name] = s.archive.rows[kind.Name].Count
	}
	if s.Counts["workspace"] != 1 {
		return s, refused("it has %d workspaces", s.Counts["workspace"])
	}
	return s, s.checkFiles()
}

// note keeps what is needed of some rows.
func (s *ArchiveSummary) note(kind string, row map[string]json.RawMessage) error {
	switch kind {
	case "workspace":
		return json.Unmarshal(row["name"], &s.Name)
	case "members":
		var m struct{ Email, Role string }
		if json.Unmarshal(row["email"], &m.Email) == nil && json.Unmarshal(row["role"], &m.Role) == nil && m.Role == "owner" && len(s.Owners) < 100 {
			s.Owners = append(s.Owners, m.Email)
		}
	case "files":
		var f ports.FileBytes
		var sum string
		if err := errors.Join(json.Unmarshal(row["id"], &f.ID), json.Unmarshal(row["size"], &f.Size), json.Unmarshal(row["sha256"], &sum)); err != nil {
			return refused("a file cannot be read: %v", err)
		}
		if len(s.files) == domain.MaxExportFiles {
			return refused("it has more than %d files", domain.MaxExportFiles)
		}
		if _, err := hex.Decode(f.SHA256[:], []byte(sum)); err != nil {
			return refused("a file cannot be read: %v", err)
		}
		s.bytes += f.Size
		s.files = append(s.files, f)
	}
	return nil
}

// checkFiles holds the archive to have the bytes of every file that is not named as missing, and of no other.
func (s *ArchiveSummary) checkFiles() error {
	known := map[uuid.UUID]bool{}
	for _, f := range s.files {
		if known[f.ID] {
			return refused("it has the file %s twice", f.ID)
		}
		known[f.ID] = true
	}
	missing := map[uuid.UUID]bool{}
	for _, id := range s.archive.manifest.Files.Missing {
		missing[id] = true
	}
	for name := range s.archive.entries {
		if id, is := strings.CutPrefix(name, domain.FilesFolder); is && !known[uuid.MustParse(id)] { // its form was checked
			return refused("it has the bytes %q of no file", name)
		}
	}
	s.files = slices.DeleteFunc(s.files, func(f ports.FileBytes) bool { return missing[f.ID] })
	for _, f := range s.files {
		if entry := s.archive.entries[domain.FilesFolder+f.ID.String()]; entry == nil || entry.UncompressedSize64 != uint64(f.Size) {
			return refused("the bytes of the file %s are not there, or are not as many as its row says", f.ID)
		}
	}
	return nil
}

// importTimeout is much less than the time after which bytes without a file are removed.
const importTimeout = 50 * time.Minute

var errSlow = errors.New("the import took longer than 50 minutes: nothing was imported")

// Do imports an archive that was checked, for an owner, and returns the id of the new workspace. Where it returns an error
// nothing is imported.
func (u ImportWorkspace) Do(ctx context.Context, s ArchiveSummary, name string, owner uuid.UUID) (workspace uuid.UUID, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, importTimeout, errSlow)
	defer cancel()
	workspace = uuid.Must(uuid.NewV7())
	ctx = u.In(ctx, workspace, owner)
	defer func() {
		if err != nil {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, u.Files.Forget(clean, workspace))
		}
	}()
	for _, f := range s.files {
		if err := u.keep(ctx, s.archive, workspace, f); err != nil {
			return uuid.Nil, err
		}
	}
	err = u.Transactions.Write(ctx, func(ctx context.Context) error {
		if err := u.Import.Begin(ctx, name, owner); err != nil {
			return err
		}
		for _, kind := range domain.RowKinds() {
			if kind.Import && kind.Name != "workspace" {
				if err := u.rows(ctx, s.archive, kind); err != nil {
					return err
				}
			}
		}
		return u.Import.End(ctx, s.bytes, map[string]any{
			"workspace_id": s.WorkspaceID, "export_id": s.archive.manifest.ExportID, "rows": s.Counts,
		})
	})
	if err != nil && errors.Is(context.Cause(ctx), errSlow) {
		return uuid.Nil, errSlow
	}
	return workspace, err
}

func (u ImportWorkspace) keep(ctx context.Context, a *archiveReader, workspace uuid.UUID, f ports.FileBytes) error {
	content, err := a.file(f)
	if err != nil {
		return err
	}
	defer content.Close()
	if _, err := u.Files.Keep(ctx, workspace, f.ID, content); err != nil {
		return fmt.Errorf("store the bytes of the file %s: %w", f.ID, err)
	}
	return nil
}

// Rows are stored together, within these.
const (
	batchRows  = 500
	batchBytes = 8 << 20
)

// rows stores the rows of a kind. The archive is read and checked again, as it may have been changed since.
func (u ImportWorkspace) rows(ctx context.Context, a *archiveReader, kind domain.RowKind) error {
	var batch []json.RawMessage
	size := 0
	store := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := u.Import.Rows(ctx, kind.Name, batch); err != nil {
			return fmt.Errorf("store %s: %w", kind.Name, err)
		}
		batch, size = nil, 0
		return nil
	}
	err := a.read(kind, func(row map[string]json.RawMessage) error {
		line, err := json.Marshal(row)
		if err != nil {
			return refused("a row of %s cannot be read: %v", kind.Name, err)
		}
		batch, size = append(batch, line), size+len(line)
		if len(batch) < batchRows && size < batchBytes {
			return nil
		}
		return store()
	})
	if err != nil {
		return err
	}
	return store()
}
