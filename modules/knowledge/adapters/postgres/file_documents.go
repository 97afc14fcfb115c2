package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/callctx"
)

var _ ports.FileDocuments = FileDocuments{}

// FileDocuments stores which documents were made of a file.
type FileDocuments struct {
	DB    *postgres.DB
	Audit *audit.Log
}

func (f FileDocuments) List(ctx context.Context, file uuid.UUID, limit int) ([]uuid.UUID, error) {
	list, err := knowledgedb.New(f.DB.In(ctx)).ListDocumentsOfFile(ctx, knowledgedb.ListDocumentsOfFileParams{
		WorkspaceID: callctx.From(ctx).Principal.WorkspaceID, FileID: file, Count: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list the documents of the file: %w", err)
	}
	return list, nil
}

func (f FileDocuments) Forget(ctx context.Context, file uuid.UUID, documents []uuid.UUID, last bool) error {
	err := f.DB.Write(ctx, func(ctx context.Context) error {
		queries, workspace := knowledgedb.New(f.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
		err := queries.ForgetDocumentsOfFile(ctx, knowledgedb.ForgetDocumentsOfFileParams{WorkspaceID: workspace, FileID: file, DocumentIds: documents})
		if err != nil || !last {
			return err
		}
		// The cache knows hashes of texts and not whose they are, so all of it goes.
		if err := queries.EmptyEmbeddingCache(ctx, workspace); err != nil {
			return err
		}
		return f.Audit.Record(ctx, audit.Entry{Action: "file.erase", Resource: "file", ResourceID: file})
	})
	if err != nil {
		return fmt.Errorf("forget the documents of the file: %w", err)
	}
	return nil
}
