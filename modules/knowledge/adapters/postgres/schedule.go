package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/db/knowledgedb"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/jobs"
)

// The kinds of the jobs of documents and bases. app.locate_unfinished_documents and ListUnscheduledDocuments name them too,
// with the keys below.
const (
	IngestKind = "document.ingest"
	BaseKind   = "knowledge_base.schedule"
)

// EraseKind is the kind of the jobs that remove what turns have kept of a deleted file. app.locate_unfinished_erasures names it
// too, with the id of the file as its key.
const EraseKind = "file.erase"

// Erase is the payload of jobs of EraseKind.
type Erase struct {
	FileID    uuid.UUID `json:"file_id"`
	DeletedAt time.Time `json:"deleted_at"`
}

// Ingest is the payload of jobs of IngestKind.
type Ingest struct {
	DocumentID uuid.UUID `json:"document_id"`
	Generation int       `json:"generation"` // 0: remove the document
}

// Base is the payload of jobs of BaseKind.
type Base struct {
	KnowledgeBaseID uuid.UUID `json:"knowledge_base_id"`
}

// ingestPriority lets other jobs of a workspace go before documents.
const ingestPriority = 10

func enqueueBuild(ctx context.Context, queue *jobs.Queue, document uuid.UUID, generation int) error {
	o := jobs.Options{Key: document.String() + " " + strconv.Itoa(generation), Priority: ingestPriority}
	return queue.Again(ctx, IngestKind, Ingest{document, generation}, o)
}

func enqueueRemoval(ctx context.Context, queue *jobs.Queue, document uuid.UUID) error {
	return queue.Again(ctx, IngestKind, Ingest{DocumentID: document}, jobs.Options{Key: document.String() + " delete", Priority: ingestPriority})
}

func enqueueBase(ctx context.Context, queue *jobs.Queue, base uuid.UUID) error {
	return queue.Again(ctx, BaseKind, Base{base}, jobs.Options{Key: base.String()})
}

// Schedule queues the jobs of documents and bases in the transaction that gives them work.
type Schedule struct {
	DB    *postgres.DB
	Queue *jobs.Queue
}

var (
	_ ports.Schedule   = Schedule{}
	_ ports.BaseWork   = Schedule{}
	_ ports.Unfinished = Schedule{}
)

func (s Schedule) queries(ctx context.Context) (*knowledgedb.Queries, uuid.UUID) {
	return knowledgedb.New(s.DB.In(ctx)), callctx.From(ctx).Principal.WorkspaceID
}

func (s Schedule) Build(ctx context.Context, document uuid.UUID, o domain.BuildOptions, now time.Time) (domain.Document, error) {
	q, workspace := s.queries(ctx)
	row, err := q.ScheduleDocument(ctx, knowledgedb.ScheduleDocumentParams{
		WorkspaceID: workspace, ID: document, BuildSize: int32(o.Chunks.Size), BuildOverlap: int32(o.Chunks.Overlap), BuildReuse: o.Reuse, UpdatedAt: now,
	})
	if err != nil {
		return domain.Document{}, documentError(err)
	}
	d := toDocument(row)
	return d, enqueueBuild(ctx, s.Queue, document, d.Building)
}

func (s Schedule) BuildAll(ctx context.Context, base uuid.UUID, o domain.BuildOptions, now time.Time) error {
	q, workspace := s.queries(ctx)
	return errors.Join(
		q.ScheduleDocuments(ctx, knowledgedb.ScheduleDocumentsParams{
			WorkspaceID: workspace, BaseID: base, BuildSize: int32(o.Chunks.Size), BuildOverlap: int32(o.Chunks.Overlap), BuildReuse: o.Reuse, UpdatedAt: now,
		}),
		enqueueBase(ctx, s.Queue, base),
	)
}

func (s Schedule) Delete(ctx context.Context, d domain.Document, now time.Time) error {
	q, workspace := s.queries(ctx)
	if _, err := q.MarkDocumentDeleting(ctx, knowledgedb.MarkDocumentDeletingParams{WorkspaceID: workspace, BaseID: d.BaseID, ID: d.ID, UpdatedAt: now}); err != nil {
		return documentError(err)
	}
	return s.remove(ctx, d.ID)
}

// remove removes the texts of documents at once, and has the rest removed by jobs.
func (s Schedule) remove(ctx context.Context, documents ...uuid.UUID) error {
	q, workspace := s.queries(ctx)
	if err := q.RemoveTexts(ctx, knowledgedb.RemoveTextsParams{WorkspaceID: workspace, DocumentIds: documents}); err != nil {
		return fmt.Errorf("remove the texts: %w", err)
	}
	for _, id := range documents {
		if err := enqueueRemoval(ctx, s.Queue, id); err != nil {
			return err
		}
	}
	return nil
}

func (s Schedule) DeleteOfFile(ctx context.Context, file uuid.UUID, now time.Time) error {
	q, workspace := s.queries(ctx)
	if err := q.LockFile(ctx, file); err != nil {
		return fmt.Errorf("lock the file: %w", err)
	}
	ids, err := q.MarkDocumentsOfFileDeleting(ctx, knowledgedb.MarkDocumentsOfFileDeletingParams{WorkspaceID: workspace, FileID: file, UpdatedAt: now})
	if err != nil {
		return fmt.Errorf("delete the documents of the file: %w", err)
	}
	ever, err := q.ListDocumentsOfFile(ctx, knowledgedb.ListDocumentsOfFileParams{WorkspaceID: workspace, FileID: file, Count: 1})
	if err != nil {
		return fmt.Errorf("look for documents of the file: %w", err)
	}
	if len(ever) > 0 {
		p := knowledgedb.MarkDocumentFilesDeletedParams{WorkspaceID: workspace, FileID: file, DeletedAt: &now}
		if err := q.MarkDocumentFilesDeleted(ctx, p); err != nil {
			return fmt.Errorf("mark the documents of the file: %w", err)
		}
		if err := s.Queue.Enqueue(ctx, EraseKind, Erase{file, now}, jobs.Options{Key: file.String()}); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.remove(ctx, ids...)
}

func (s Schedule) DeleteBase(ctx context.Context, base uuid.UUID, now time.Time) error {
	q, workspace := s.queries(ctx)
	return errors.Join(
		q.MarkKnowledgeBaseDeleted(ctx, knowledgedb.MarkKnowledgeBaseDeletedParams{WorkspaceID: workspace, ID: base, DeletedAt: &now}),
		enqueueBase(ctx, s.Queue, base),
	)
}

func (s Schedule) Deleted(ctx context.Context, base uuid.UUID) (bool, error) {
	q, workspace := s.queries(ctx)
	deleted, err := q.GetKnowledgeBaseState(ctx, knowledgedb.GetKnowledgeBaseStateParams{WorkspaceID: workspace, ID: base})
	if err != nil {
		return false, baseError(err)
	}
	return deleted, nil
}

// baseBatch is how many documents are marked or queued in one transaction.
const baseBatch = 200

func (s Schedule) MarkDeleting(ctx context.Context, base uuid.UUID, now time.Time) (more bool, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		n, err := q.MarkDocumentsOfBaseDeleting(ctx, knowledgedb.MarkDocumentsOfBaseDeletingParams{WorkspaceID: workspace, BaseID: base, UpdatedAt: now, Count: baseBatch})
		more = n == baseBatch
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete the documents of the knowledge base: %w", err)
	}
	return more, nil
}

func (s Schedule) QueueDocuments(ctx context.Context, base uuid.UUID) (more bool, err error) {
	err = s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		rows, err := q.ListUnscheduledDocuments(ctx, knowledgedb.ListUnscheduledDocumentsParams{WorkspaceID: workspace, BaseID: base, Count: baseBatch})
		if err != nil {
			return fmt.Errorf("list the documents without a job: %w", err)
		}
		more = len(rows) == baseBatch
		for _, row := range rows {
			if domain.DocumentStatus(row.Status) == domain.Deleting {
				err = enqueueRemoval(ctx, s.Queue, row.ID)
			} else {
				err = enqueueBuild(ctx, s.Queue, row.ID, orZero(row.Building))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return more, err
}

func (s Schedule) Remove(ctx context.Context, base uuid.UUID) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		q, workspace := s.queries(ctx)
		return q.RemoveKnowledgeBase(ctx, knowledgedb.RemoveKnowledgeBaseParams{WorkspaceID: workspace, ID: base})
	})
}

// Limits of the search for unfinished work. A job that is queued in the same transaction as its cause is there long before.
const (
	unfinishedAge   = 2 * time.Minute
	unfinishedBatch = 500
)

func (s Schedule) Locate(ctx context.Context) (list []ports.UnfinishedWork, more bool, err error) {
	q := knowledgedb.New(s.DB.In(ctx))
	rows, err := q.LocateUnfinishedDocuments(ctx, knowledgedb.LocateUnfinishedDocumentsParams{
		OlderSeconds: unfinishedAge.Seconds(), MaxRows: unfinishedBatch,
	})
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		list = append(list, ports.UnfinishedWork{WorkspaceID: row.WorkspaceID, BaseID: row.BaseID, DocumentID: row.DocumentID})
	}
	files, err := q.LocateUnfinishedErasures(ctx, knowledgedb.LocateUnfinishedErasuresParams{OlderSeconds: unfinishedAge.Seconds(), MaxRows: unfinishedBatch})
	if err != nil {
		return nil, false, err
	}
	for _, row := range files {
		list = append(list, ports.UnfinishedWork{WorkspaceID: row.WorkspaceID, FileID: row.FileID})
	}
	return list, max(len(rows), len(files)) >= unfinishedBatch, nil
}

func (s Schedule) Resume(ctx context.Context, w ports.UnfinishedWork) error {
	return s.DB.Write(ctx, func(ctx context.Context) error {
		if w.FileID != uuid.Nil {
			return s.resumeErasure(ctx, w.FileID)
		}
		if w.DocumentID == uuid.Nil {
			return enqueueBase(ctx, s.Queue, w.BaseID)
		}
		q, workspace := s.queries(ctx)
		row, err := q.GetBuild(ctx, knowledgedb.GetBuildParams{WorkspaceID: workspace, ID: w.DocumentID})
		switch {
		case postgres.IsMissing(err):
			return nil
		case err != nil:
			return documentError(err)
		case domain.DocumentStatus(row.Document.Status) == domain.Deleting:
			return enqueueRemoval(ctx, s.Queue, w.DocumentID)
		}
		return enqueueBuild(ctx, s.Queue, w.DocumentID, orZero(row.Document.Building))
	})
}

func (s Schedule) resumeErasure(ctx context.Context, file uuid.UUID) error {
	q, workspace := s.queries(ctx)
	deletedAt, err := q.GetDeletionOfFile(ctx, knowledgedb.GetDeletionOfFileParams{WorkspaceID: workspace, FileID: file})
	if postgres.IsMissing(err) {
		return nil // finished meanwhile
	}
	if err != nil {
		return fmt.Errorf("read when the file was deleted: %w", err)
	}
	return s.Queue.Again(ctx, EraseKind, Erase{file, deletedAt}, jobs.Options{Key: file.String()})
}
