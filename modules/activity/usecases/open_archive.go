package usecases

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/activity/domain"
	"github.com/parley/parley/modules/activity/ports"
)

// LinkArchive makes links to archives.
type LinkArchive struct {
	Links ports.ExportLinks
	Now   func() time.Time
}

// Do returns a token for the archive of an export and until when a download may begin; false where there is no archive.
func (u LinkArchive) Do(e domain.Export, by uuid.UUID) (token string, until time.Time, ok bool) {
	now := u.Now()
	if !e.Readable(now) {
		return "", time.Time{}, false
	}
	until = now.Add(domain.ExportLinkLife).Truncate(time.Second)
	if e.ExpiresAt.Before(until) {
		until = *e.ExpiresAt
	}
	return u.Links.Token(domain.ExportLink{WorkspaceID: e.WorkspaceID, ExportID: e.ID, UserID: by, ExpiresAt: until}), until, true
}

// OpenArchive opens an archive by a link.
type OpenArchive struct {
	Links   ports.ExportLinks
	Exports ports.Exports
	// In returns a context for work in a workspace for a user, whose right a link has proved.
	In func(ctx context.Context, workspace, user uuid.UUID) context.Context
	// Note records in the audit log that an archive is downloaded.
	Note func(ctx context.Context, export uuid.UUID) error
	Now  func() time.Time
}

// Do returns the export of a link and a context for reading its archive. It returns ErrExportLink for a link that is wrong or
// too old, and ErrExportNotFound where the archive is removed or the workspace is deleted.
func (u OpenArchive) Do(ctx context.Context, k ports.ExportKey, token string) (context.Context, domain.Export, error) {
	link, err := u.Links.Open(k, token)
	if err != nil {
		return ctx, domain.Export{}, err
	}
	now := u.Now()
	if !now.Before(link.ExpiresAt) {
		return ctx, domain.Export{}, ports.ErrExportLink
	}
	ctx = u.In(ctx, link.WorkspaceID, link.UserID)
	e, err := u.Exports.OfLink(ctx, link.ExportID)
	if err == nil && !e.Readable(now) {
		err = ports.ErrExportNotFound
	}
	if err != nil {
		return ctx, domain.Export{}, err
	}
	return ctx, e, u.Note(ctx, e.ID)
}
