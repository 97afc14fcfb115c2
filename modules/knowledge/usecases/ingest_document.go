package usecases

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// IngestDocument builds a generation of a document: it extracts the text, divides it into chunks, and makes the generation
// the current one. Each step is committed by itself, so that it goes on where an attempt before it has ended, whatever ended
// that.
type IngestDocument struct {
	Builds       ports.Builds
	Texts        ports.BuiltTexts
	Remains      ports.Remains
	Spool        ports.Spool
	Extract      ports.Extractor
	Embed        EmbedDocument
	Quota        ports.Quota
	Events       ports.Events
	Transactions ports.Transactions
	Now          func() time.Time
	// Reach is called at the named points between steps, for tests of crashes.
	Reach func(point string)
}

// Limits of one run of IngestDocument.
const (
	ingestTime  = 40 * time.Second // after which it ends with more to do
	chunkBatch  = 400              // chunks that are stored in one transaction: a word of several is counted once
	smallChunks = 100              // of a document that is stored in one transaction with its text
)

// Work is the input of IngestDocument.
type Work struct {
	DocumentID uuid.UUID
	Generation int // 0: remove the document
}

// Do works for about 40 seconds, and reports whether there is more to do. An error may pass: the work is then tried again.
// What fails for good is recorded in the document, and is no error.
func (u IngestDocument) Do(ctx context.Context, w Work) (more bool, err error) {
	until := u.Now().Add(ingestTime)
	b, err := u.Builds.Get(ctx, w.DocumentID)
	switch {
	case errors.Is(err, ports.ErrDocumentNotFound):
		return false, nil
	case err != nil:
		return false, err
	case b.Status == domain.Deleting:
		return u.remove(ctx, b, until)
	case b.Building == w.Generation:
		done, err := u.build(ctx, b, until)
		if err != nil || !done {
			return err == nil, err
		}
	case b.Generation != w.Generation:
		return false, nil // a newer one is built, or is there
	}
	return u.tidy(ctx, b, w.Generation, until)
}

// GiveUp records in the document that its generation could not be built, after the last attempt.
func (u IngestDocument) GiveUp(ctx context.Context, w Work) error {
	return u.fail(ctx, w, domain.BuildError{
		Code: "EXTRACTION_FAILED", Message: "the document could not be indexed: reindex it, or ask whoever operates this server",
	})
}

func (u IngestDocument) fail(ctx context.Context, w Work, e domain.BuildError) error {
	return u.Transactions.Write(ctx, func(ctx context.Context) error {
		d, failed, err := u.Builds.Fail(ctx, w.DocumentID, w.Generation, e, u.Now())
		if err != nil || !failed {
			return err
		}
		return u.Events.DocumentFailed(ctx, d)
	})
}

// build does the steps that are not done yet, and reports whether the generation is complete. One that has failed for good is.
func (u IngestDocument) build(ctx context.Context, b ports.Build, until time.Time) (done bool, err error) {
	outline, text, chunks, err := u.text(ctx, b)
	if err == nil && !outline {
		err = ports.ErrNoText
	}
	if e, ok := errors.AsType[*fail.Error](err); ok && isPermanent(e) {
		return true, u.fail(ctx, Work{b.ID, b.Building}, notIndexed(e))
	}
	if err != nil {
		return false, err
	}
	if atOnce(b, chunks) {
		return true, nil
	}
	if !isEmbedding(b) {
		stored, err := u.store(ctx, b, chunks, until)
		if err != nil || stored < 0 {
			return stored < 0, err
		}
		if stored < len(chunks) {
			return false, nil
		}
		u.Reach("chunked")
	}
	if b.EmbeddingModel != nil {
		done, current, err := u.Embed.Do(ctx, b, len(chunks), until)
		if e, ok := errors.AsType[*fail.Error](err); ok && isPermanent(e) {
			return true, u.fail(ctx, Work{b.ID, b.Building}, embeddingFailed(e))
		}
		if err != nil || !done {
			return err == nil && !current, err
		}
		u.Reach("embedded")
	}
	return true, u.Transactions.Write(ctx, func(ctx context.Context) error { return u.finish(ctx, b, text) })
}

// atOnce reports whether a document is so small that its text and its chunks are stored, and its generation becomes the current one, in
// one transaction: the commits of the single steps would take longer than the steps.
func atOnce(b ports.Build, chunks []domain.Chunk) bool {
	return len(chunks) <= smallChunks && b.EmbeddingModel == nil && !isEmbedding(b)
}

// finish makes the generation the current one, if it is whole.
func (u IngestDocument) finish(ctx context.Context, b ports.Build, text domain.KeptText) error {
	d, finished, err := u.Builds.Finish(ctx, b.ID, b.Building, ports.Built{
		Characters: utf8.RuneCountInString(text.Text), TextBytes: int64(len(text.Text)), Pages: len(text.Pages), At: u.Now(),
	})
	if err != nil || !finished {
		return err
	}
	return u.Events.DocumentReady(ctx, d)
}

// notIndexed returns why the text of a document could not be taken, with the limit that it is beyond.
func notIndexed(e *fail.Error) domain.BuildError {
	failed := domain.BuildError{Code: e.Code, Message: e.Message}
	if most, ok := e.Details["max"]; ok {
		failed.Message += fmt.Sprintf(" (%v: at most %v)", e.Details["limit"], most)
	}
	return failed
}

// embeddingFailed returns why a document could not be embedded, as its users may read it.
func embeddingFailed(e *fail.Error) domain.BuildError {
	failed := domain.BuildError{Code: "EMBEDDING_FAILED", Message: e.Message}
	if said, _ := e.Details["provider_message"].(string); said != "" {
		failed.Message += " (" + said + ")"
	}
	return failed
}

// isPermanent reports whether the same document fails again with an error.
func isPermanent(e *fail.Error) bool {
	return e.Kind == fail.Invalid || errors.Is(e, ports.ErrKnowledgeLimit) || errors.Is(e, ports.ErrContentMissing)
}

// text returns the text of a generation and its chunks, extracted now where that is not done yet.
func (u IngestDocument) text(ctx context.Context, b ports.Build) (found bool, text domain.KeptText, chunks []domain.Chunk, err error) {
	outline, found, err := u.Texts.Outline(ctx, b.ID, b.Building)
	if err != nil {
		return false, text, nil, err
	}
	if !found && b.Build.Reuse && b.Generation > 0 {
		if outline, found, err = u.copyText(ctx, b); err != nil {
			return false, text, nil, err
		}
	}
	extracted := !found
	if extracted {
		if err = u.beginExtraction(ctx, b); err != nil {
			return false, text, nil, err
		}
		u.Reach("extracting")
		if outline, err = u.extract(ctx, b); err != nil {
			return false, text, nil, err
		}
	}
	text, chunks = domain.Split(outline, b.Build.Chunks)
	if len(chunks) == 0 {
		return false, text, nil, nil
	}
	if isEmbedding(b) {
		return true, text, chunks, nil
	}
	total := len(chunks)
	before := []domain.Stage{domain.StageNone, domain.StageExtract}
	if !extracted {
		before = append(before, domain.StageChunk)
	}
	err = u.Transactions.Write(ctx, func(ctx context.Context) error {
		stored, current, err := u.Builds.Lock(ctx, b.ID, b.Building, before...)
		if err != nil || !current {
			return err
		}
		if extracted {
			if err := u.Texts.StoreText(ctx, b.ID, b.Building, text, outline); err != nil {
				return err
			}
		}
		if err := u.Quota.ReserveKnowledge(ctx, b.ID, total, int64(len(text.Text))); err != nil {
			return err
		}
		err = u.Builds.SetStage(ctx, b.ID, domain.Chunking, domain.StageChunk, &total, u.Now())
		if err != nil || !atOnce(b, chunks) {
			return err
		}
		if err := u.Texts.StoreChunks(ctx, b, b.Building, stored, chunks[min(stored, total):], u.Now()); err != nil {
			return err
		}
		return u.finish(ctx, b, text)
	})
	u.Reach("extracted")
	return true, text, chunks, err
}

func (u IngestDocument) copyText(ctx context.Context, b ports.Build) (domain.Extracted, bool, error) {
	err := u.Transactions.Write(ctx, func(ctx context.Context) error {
		if _, current, err := u.Builds.Lock(ctx, b.ID, b.Building, domain.StageNone); err != nil || !current {
			return err
		}
		return u.Texts.CopyText(ctx, b.ID, b.Building, b.Generation)
	})
	if err != nil {
		return domain.Extracted{}, false, err
	}
	u.Reach("copied")
	return u.Texts.Outline(ctx, b.ID, b.Building)
}

func (u IngestDocument) beginExtraction(ctx context.Context, b ports.Build) error {
	return u.Transactions.Write(ctx, func(ctx context.Context) error {
		if _, current, err := u.Builds.Lock(ctx, b.ID, b.Building, domain.StageNone, domain.StageExtract); err != nil || !current {
			return err
		}
		return u.Builds.SetStage(ctx, b.ID, domain.Extracting, domain.StageExtract, nil, u.Now())
	})
}

// extract reads the file, or the text that was sent.
func (u IngestDocument) extract(ctx context.Context, b ports.Build) (domain.Extracted, error) {
	if b.FileID == nil {
		sent, err := u.Texts.Sent(ctx, b.ID)
		if err != nil {
			return domain.Extracted{}, err
		}
		return u.Extract.Extract(ctx, ports.ExtractionSource{
			Content: strings.NewReader(sent), Size: int64(len(sent)), Name: b.Title + ".md", ContentType: textType,
		})
	}
	file, err := u.Spool.Open(ctx, ports.BytesKey{WorkspaceID: b.WorkspaceID, FileID: *b.FileID})
	if err != nil {
		return domain.Extracted{}, err
	}
	defer file.Close()
	return u.Extract.Extract(ctx, ports.ExtractionSource{Content: file, Size: b.Size, Name: b.FileName, ContentType: b.ContentType})
}

// store stores the chunks that are not stored yet, until a time, and returns how many there are then; -1 where the
// generation is not built any more.
func (u IngestDocument) store(ctx context.Context, b ports.Build, chunks []domain.Chunk, until time.Time) (stored int, err error) {
	for {
		err := u.Transactions.Write(ctx, func(ctx context.Context) error {
			done, current, err := u.Builds.Lock(ctx, b.ID, b.Building, domain.StageChunk)
			if err != nil {
				return err
			}
			if !current {
				stored = -1
				return nil
			}
			next := min(done+chunkBatch, len(chunks))
			stored = next
			if done >= next {
				return nil
			}
			return u.Texts.StoreChunks(ctx, b, b.Building, done, chunks[done:next], u.Now())
		})
		if err != nil || stored < 0 || stored == len(chunks) || u.Now().After(until) {
			return stored, err
		}
		u.Reach("chunking")
	}
}

// tidy removes what the generations before the current one have left.
func (u IngestDocument) tidy(ctx context.Context, b ports.Build, generation int, until time.Time) (more bool, err error) {
	b, err = u.Builds.Get(ctx, b.ID)
	if errors.Is(err, ports.ErrDocumentNotFound) {
		return false, nil
	}
	if err != nil || b.Generation != generation || b.Building != 0 || b.Status == domain.Deleting {
		return false, err // whoever builds the next one, or removes the document, does that
	}
	u.Reach("switched")
	if generation == 1 {
		return false, nil // there is none before it
	}
	for {
		more, err := u.Remains.RemoveChunks(ctx, b, generation)
		u.Reach("tidying")
		if err != nil || more && u.Now().After(until) {
			return more, err
		}
		if !more {
			return false, errors.Join(u.Remains.RemoveTexts(ctx, b.ID, generation), u.removeVectors(ctx, b.ID, generation))
		}
	}
}

// remove removes all rows of a document.
func (u IngestDocument) remove(ctx context.Context, b ports.Build, until time.Time) (more bool, err error) {
	u.Reach("deleting")
	for {
		more, err := u.Remains.RemoveChunks(ctx, b, math.MaxInt32)
		u.Reach("removing")
		if err != nil || more && u.Now().After(until) {
			return more, err
		}
		if !more {
			return false, errors.Join(u.removeVectors(ctx, b.ID, math.MaxInt32), u.Remains.RemoveDocument(ctx, b.Document))
		}
	}
}

// removeVectors removes the vectors of generations before one. While the vector store is away it leaves them to
// RemoveOldVectors: nothing is found by them.
func (u IngestDocument) removeVectors(ctx context.Context, document uuid.UUID, before int) error {
	if err := u.Embed.Remove(ctx, document, before, before); !errors.Is(err, ports.ErrVectorsAway) {
		return err
	}
	return nil
}
