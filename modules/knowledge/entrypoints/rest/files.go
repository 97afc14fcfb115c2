// Package rest serves the calls of knowledge: it decodes a request, calls one use case, and encodes the response.
package rest

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/request/page"
)

// Server serves the calls of knowledge. It has the methods of the generated StrictServerInterface.
type Server struct {
	Receive  usecases.ReceiveFile
	Create   usecases.CreateFile
	Delete   usecases.DeleteFile
	Files    ports.Files
	Bytes    ports.Bytes
	Commands *command.Pipeline
	Cursors  page.Key
	// Missing is called for each requested file whose bytes are not in the store.
	Missing func(ctx context.Context, file uuid.UUID)

	Bases       ports.KnowledgeBases
	Documents   ports.Documents
	Texts       ports.Texts
	CreateBase  usecases.CreateKnowledgeBase
	ChangeBase  usecases.ChangeKnowledgeBase
	DeleteBase  usecases.DeleteKnowledgeBase
	ReindexBase usecases.ReindexKnowledgeBase
	AddDoc      usecases.AddDocument
	ChangeDoc   usecases.ChangeDocument
	DeleteDoc   usecases.DeleteDocument
	ReindexDoc  usecases.ReindexDocument
	Search      usecases.SearchKnowledge

	Keys      ports.EmbeddingKeys
	ChangeKey usecases.ChangeEmbeddingKey
	TestKey   usecases.TestEmbeddingKey
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }

// CreateFile stores an uploaded file. The bytes are stored before the operation is claimed, because the fingerprint of
// the operation is known only after the last byte. If the call is a repetition, the bytes are removed again.
func (s Server) CreateFile(ctx context.Context, r CreateFileRequestObject) (CreateFileResponseObject, error) {
	if err := s.Commands.DB.Admitted(ctx); err != nil { // nobody may store bytes in a workspace of others
		return nil, err
	}
	file, sent, err := s.receive(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	ctx = callctx.Completed(ctx, []byte(sent), file.SHA256[:])
	location := "/v1/files/" + file.ID.String()
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		file, err := s.Create.Do(ctx, file)
		return command.Outcome{
			Answer: CreateFile201JSONResponse{Body: toFile(file), Headers: CreateFile201ResponseHeaders{Location: &location}}.VisitCreateFileResponse,
			Audit:  fileChange("create", file),
		}, err
	})
	// Any other failure may have come after the commit: RemoveOrphans removes those bytes if no file has them.
	refused := errors.Is(err, fail.ErrLimitReached) || errors.Is(err, ports.ErrOwnerLimit) || errors.Is(err, command.ErrReused) || errors.Is(err, command.ErrInProgress) || errors.Is(err, command.ErrExpired)
	if refused || err == nil && answer.Location != location {
		s.discard(ctx, file)
	}
	if errors.Is(err, fail.ErrLimitReached) && callctx.From(ctx).Principal.EndUser != nil { // limits are the workspace's business
		err = fail.ErrStorageFull
	}
	return stored{answer}, err
}

// discardTimeout is how long a response waits for bytes to be removed.
const discardTimeout = 5 * time.Second

// discard removes bytes that belong to no file. RemoveOrphans removes those that it cannot remove.
func (s Server) discard(ctx context.Context, f domain.File) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	_ = s.Receive.Discard(ctx, f)
}

// DeleteFile deletes a file.
func (s Server) DeleteFile(ctx context.Context, r DeleteFileRequestObject) (DeleteFileResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		file, err := s.Delete.Do(ctx, r.FileID)
		return command.Outcome{Answer: DeleteFile204Response{}.VisitDeleteFileResponse, Audit: fileChange("delete", file)}, err
	})
	return stored{answer}, err
}

// GetFile returns the data of a file.
func (s Server) GetFile(ctx context.Context, r GetFileRequestObject) (GetFileResponseObject, error) {
	file, err := s.Files.Get(ctx, r.FileID)
	return GetFile200JSONResponse(toFile(file)), err
}

// ListFiles lists the files of the workspace, newest first.
func (s Server) ListFiles(ctx context.Context, r ListFilesRequestObject) (ListFilesResponseObject, error) {
	p, err := page.List[domain.File, ports.FilePosition]{
		Name: "files", Read: s.Files.List,
		Position: func(f domain.File) ports.FilePosition { return ports.FilePosition{At: f.CreatedAt, ID: f.ID} },
	}.Page(ctx, s.Cursors, r.Params.Cursor, r.Params.Limit)
	return ListFiles200JSONResponse{Items: page.Map(p.Items, toFile), HasMore: p.HasMore, NextCursor: p.NextCursor}, err
}

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
