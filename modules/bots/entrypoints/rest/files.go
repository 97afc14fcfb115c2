package rest

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/page"
)

// CreateFile implements the call. The bytes are stored before the operation is claimed, as its fingerprint is known only
// behind the last of them; where they turn out to be a repetition's they are removed again.
func (s Server) CreateFile(ctx context.Context, r CreateFileRequestObject) (CreateFileResponseObject, error) {
	if err := s.Commands.DB.Admitted(ctx); err != nil { // nobody stores a byte in a workspace that is not theirs
		return nil, err
	}
	file, sent, err := s.receive(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	ctx = call.Completed(ctx, []byte(sent), file.SHA256[:])
	location := "/v1/files/" + file.ID.String()
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		file, err := s.FileSteps.Create.Do(ctx, file)
		return command.Outcome{
			Answer: CreateFile201JSONResponse{Body: toFile(file), Headers: CreateFile201ResponseHeaders{Location: &location}}.VisitCreateFileResponse,
			Audit:  fileChange("create", file),
		}, err
	})
	// Any other failure may have come after the commit: those bytes are left to the orphans' job.
	refused := errors.Is(err, fail.ErrLimitReached) || errors.Is(err, command.ErrReused) || errors.Is(err, command.ErrInProgress) || errors.Is(err, command.ErrExpired)
	if refused || err == nil && answer.Location != location {
		s.discard(ctx, file)
	}
	return stored{answer}, err
}

// discardPatience is how long an answer waits for bytes to be removed.
const discardPatience = 5 * time.Second

// discard removes bytes that no file is made of. Those that it cannot remove are the orphans' job's.
func (s Server) discard(ctx context.Context, f domain.File) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardPatience)
	defer cancel()
	_ = s.FileSteps.Receive.Discard(ctx, f)
}

// DeleteFile implements the call.
func (s Server) DeleteFile(ctx context.Context, r DeleteFileRequestObject) (DeleteFileResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		file, err := s.FileSteps.Delete.Do(ctx, r.FileID)
		return command.Outcome{Answer: DeleteFile204Response{}.VisitDeleteFileResponse, Audit: fileChange("delete", file)}, err
	})
	return stored{answer}, err
}

// GetFile implements the call.
func (s Server) GetFile(ctx context.Context, r GetFileRequestObject) (GetFileResponseObject, error) {
	file, err := s.Files.Get(ctx, r.FileID)
	return GetFile200JSONResponse(toFile(file)), err
}

// ListFiles implements the call.
func (s Server) ListFiles(ctx context.Context, r ListFilesRequestObject) (ListFilesResponseObject, error) {
	after, err := s.FileCursors.Decode(ctx, "", r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := page.Limit(r.Params.Limit, defaultLimit)
	rows, err := s.Files.List(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	items, more := page.Cut(rows, limit)
	next, err := page.Next(ctx, s.FileCursors, "", items, more, func(f domain.File) ports.FilePosition {
		return ports.FilePosition{At: f.CreatedAt, ID: f.ID}
	})
	return ListFiles200JSONResponse{Items: page.Map(items, toFile), HasMore: more, NextCursor: next}, err
}

// FileSteps are the use cases of files.
type FileSteps struct {
	Receive usecases.ReceiveFile
	Create  usecases.CreateFile
	Delete  usecases.DeleteFile
}

func (s stored) VisitCreateFileResponse(w http.ResponseWriter) error { return s.Write(w) }
func (s stored) VisitDeleteFileResponse(w http.ResponseWriter) error { return s.Write(w) }

func fileChange(verb string, f domain.File) audit.Entry {
	return audit.Entry{Action: "file." + verb, Resource: "file", ResourceID: f.ID, Changes: map[string]any{
		"name": f.Name.String(), "size": f.Size, "content_type": f.ContentType, "sha256": hex.EncodeToString(f.SHA256[:]),
	}}
}

func toFile(f domain.File) File {
	return File{
		ID:          f.ID,
		WorkspaceID: f.WorkspaceID,
		Name:        f.Name.String(),
		ContentType: f.ContentType,
		Size:        f.Size,
		Sha256:      hex.EncodeToString(f.SHA256[:]),
		CreatedBy:   f.CreatedBy,
		CreatedAt:   f.CreatedAt,
	}
}
