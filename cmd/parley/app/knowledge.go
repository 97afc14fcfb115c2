package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/conversations"
	"github.com/parley/parley/modules/knowledge/adapters/blobs"
	conversationsadapter "github.com/parley/parley/modules/knowledge/adapters/conversations"
	"github.com/parley/parley/modules/knowledge/adapters/events"
	"github.com/parley/parley/modules/knowledge/adapters/extract"
	"github.com/parley/parley/modules/knowledge/adapters/postgres"
	"github.com/parley/parley/modules/knowledge/adapters/vectors"
	"github.com/parley/parley/modules/knowledge/entrypoints/inproc"
	"github.com/parley/parley/modules/knowledge/entrypoints/jobs"
	"github.com/parley/parley/modules/knowledge/entrypoints/openai"
	"github.com/parley/parley/modules/knowledge/entrypoints/rest"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/data/blob"
	postgresdb "github.com/parley/parley/platform/data/postgres"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/ops/fault"
	"github.com/parley/parley/platform/ops/usage"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/gateway"
	"github.com/parley/parley/platform/request/page"
	"github.com/parley/parley/platform/request/ratelimit"
	"github.com/parley/parley/platform/work/background"
	queue "github.com/parley/parley/platform/work/jobs"
	"github.com/parley/parley/platform/work/outbound"
	"github.com/parley/parley/platform/work/webhook"
)

// knowledgeOptions are the options of newKnowledge.
type knowledgeOptions struct {
	log       *slog.Logger
	db        *postgresdb.DB
	files     blob.Store
	vectors   vectorStore
	embedding embeddingModels
	maxBytes  int64  // of a file
	dataDir   string // where compiled code is kept
	limiter   ratelimit.Limiter
	// modelServers are addresses that the embedding models of workspaces may have.
	modelServers webhook.Targets
	jobs         *queue.Queue
	quota        *usage.Quota
	audit        *audit.Log
	quotes       conversations.Quotes
	commands     *command.Pipeline
	cursors      page.Key
	events       *outbound.Publisher
	interval     time.Duration // between searches for documents without a job
	fault        *fault.Point
	missing      func(n float64, labels ...string) // counts downloads of files without bytes
}

// newKnowledgeSearch makes the search in knowledge bases, which calls, turns and the settings of bots share.
func newKnowledgeSearch(o knowledgeOptions) inproc.Search {
	search, embed := postgres.Search{DB: o.db}, newEmbedDocument(o)
	return inproc.Search{Pages: search, Bases: search, Knowledge: usecases.SearchKnowledge{Bases: search, Searcher: search, Rerank: usecases.RerankChunks{Reranker: o.embedding.rerank, Searcher: search}, Vectors: usecases.SearchVectors{
		Models: embed.Models, Records: embed.Records, Vectors: embed.Vectors, Current: search, Costs: embed.Costs,
	}}}
}

// newKnowledge wires the module knowledge.
func newKnowledge(o knowledgeOptions) module {
	files, bytes := postgres.Files{DB: o.db, Queue: o.jobs, Quota: o.quota}, blobs.Bytes{Store: o.files}
	bases := postgres.KnowledgeBases{DB: o.db, Quota: o.quota}
	documents, schedule := postgres.Documents{DB: o.db, Queue: o.jobs, Quota: o.quota}, postgres.Schedule{DB: o.db, Queue: o.jobs}
	embed, keys := newEmbedDocument(o), o.embedding.keys
	oldVectors := usecases.RemoveOldVectors{Records: embed.Records, Builds: embed.Builds, Embed: embed, In: inWorkspace}
	orphans := usecases.RemoveOrphans{Files: files, Bytes: bytes, In: inWorkspace, Now: now}
	unfinished := usecases.FindUnfinished{Unfinished: schedule, In: inWorkspace}
	vectorsOfTexts := openai.Server{Embed: usecases.EmbedTexts{Models: embed.Models, Costs: embed.Costs}}
	calls := rest.Server{
		Receive:     usecases.ReceiveFile{Bytes: bytes, Sniff: blobs.Sniff, Limit: o.maxBytes, Now: now},
		Create:      usecases.CreateFile{Files: files},
		Delete:      usecases.DeleteFile{Files: files, Schedule: schedule, Now: now},
		Files:       files,
		Bytes:       bytes,
		Bases:       bases,
		Documents:   documents,
		Texts:       documents,
		CreateBase:  usecases.CreateKnowledgeBase{Bases: bases, Models: o.embedding.models, Now: now},
		ChangeBase:  usecases.ChangeKnowledgeBase{Bases: bases, Schedule: schedule, Models: o.embedding.models, Now: now},
		DeleteBase:  usecases.DeleteKnowledgeBase{Bases: bases, Uses: bases, Schedule: schedule, Now: now},
		ReindexBase: usecases.ReindexKnowledgeBase{Bases: bases, Schedule: schedule, Now: now},
		AddDoc:      usecases.AddDocument{Files: files, Documents: documents, Now: now},
		ChangeDoc:   usecases.ChangeDocument{Documents: documents, Now: now},
		DeleteDoc:   usecases.DeleteDocument{Documents: documents, Schedule: schedule, Now: now},
		ReindexDoc:  usecases.ReindexDocument{Bases: bases, Documents: documents, Schedule: schedule, Now: now},
		Search:      newKnowledgeSearch(o).Knowledge,
		Keys:        keys,
		ChangeKey: usecases.ChangeEmbeddingKey{
			Keys: keys, Models: o.embedding.models, Bases: bases, Schedule: schedule, Now: now,
			CheckURL: func(raw string) error { return webhook.CheckURL(raw, o.modelServers) },
		},
		TestKey: usecases.TestEmbeddingKey{
			Keys: keys, Models: o.embedding.models, Timeout: keyTestTimeout, Now: now,
			Limits: gateway.SessionLimiter{Limiter: o.limiter, Limit: ratelimit.Limit{Max: keyTestsAMinute, Window: time.Minute}},
		},
		Commands: o.commands,
		Cursors:  o.cursors,
		Missing: func(ctx context.Context, file uuid.UUID) { // removed outside of the program, or left out when a backup was restored
			o.missing(1)
			o.log.ErrorContext(ctx, "the bytes of a file are missing from the store", "file", file)
		},
	}
	return module{
		mount: func(e *echo.Echo) {
			calls.Mount(e)
			vectorsOfTexts.Mount(e)
		},
		handlers: []jobHandler{
			func(r *queue.Registry) error {
				return jobs.RemoveBytes{Bytes: bytes}.Register(r, postgres.RemoveBytesKind)
			},
			func(r *queue.Registry) error {
				return jobs.EraseFile{File: usecases.EraseFile{
					Documents: postgres.FileDocuments{DB: o.db, Audit: o.audit}, Quotes: conversationsadapter.Quotes{Face: o.quotes},
					Reach: func(point string) { o.fault.Reach("file-" + point) },
				}}.Register(r, postgres.EraseKind)
			},
			ingestDocuments(o, bytes, embed),
			func(r *queue.Registry) error {
				return jobs.WorkOnBase{Base: usecases.WorkOnBase{
					Base: schedule, Now: now, Reach: func(point string) { o.fault.Reach("base-" + point) },
				}}.Register(r, postgres.BaseKind)
			},
		},
		tasks: []background.Task{
			{Name: "remove bytes without a file", Every: time.Hour, Timeout: orphanTimeout, Cluster: true, Do: orphans.Do},
			{Name: "remove vectors of former documents", Every: oldVectorsInterval, Timeout: 10 * time.Minute, Cluster: true, Do: oldVectors.Do},
			{Name: "find unfinished documents", Every: o.interval, Timeout: time.Minute, Cluster: true, Do: unfinished.Do},
		},
		onDeadLetter: []deadLetterHook{giveUpDocuments(o.db, o.events)},
		onPurge:      slices.Concat(filesPurge(o.files), vectorsPurge(o.vectors)),
	}
}

// The limits of the files that turns read at once, so that no turn waits long for another one.
const (
	attachedAtOnce   = 2
	attachedBytes    = 64 << 20
	attachedLetters  = 5_000_000
	attachedTime     = 20 * time.Second
	attachedMaxPages = 2_000
)

// newKnowledgeFiles makes what reads files for turns, and what deletes those of end users. Turns do not wait for documents that are indexed.
func newKnowledgeFiles(o knowledgeOptions) (inproc.Files, inproc.OwnedFiles) {
	files, bytes := postgres.Files{DB: o.db, Queue: o.jobs, Quota: o.quota}, blobs.Bytes{Store: o.files}
	read := inproc.Files{Spool: blobs.Spool{Bytes: bytes}, Content: bytes, Extract: extract.New(extract.Options{
		MaxConcurrent: attachedAtOnce, CacheDir: filepath.Join(o.dataDir, "pdfium"), PDFReader: readPDFCommand(),
		Limits: extract.Limits{FileBytes: o.maxBytes, Bytes: attachedBytes, Characters: attachedLetters, Pages: attachedMaxPages, Time: attachedTime},
	})}
	return read, inproc.OwnedFiles{Owned: files, File: usecases.DeleteFile{Files: files, Schedule: postgres.Schedule{DB: o.db, Queue: o.jobs}, Now: now}}
}

// documentsAtOnce is how many documents a process extracts and divides at once, so that turns hardly feel it.
const documentsAtOnce = 2

// ingestDocuments registers the jobs that index documents.
func ingestDocuments(o knowledgeOptions, bytes blobs.Bytes, embed usecases.EmbedDocument) jobHandler {
	builds := postgres.Builds{DB: o.db, Quota: o.quota}
	return jobs.Ingest{AtOnce: documentsAtOnce, Kind: postgres.IngestKind, Document: usecases.IngestDocument{
		Builds: builds, Texts: builds, Remains: builds, Quota: builds,
		Embed: embed,
		Spool: blobs.Spool{Bytes: bytes},
		Extract: extract.New(extract.Options{
			MaxConcurrent: documentsAtOnce, CacheDir: filepath.Join(o.dataDir, "pdfium"), PDFReader: readPDFCommand(),
		}),
		Events:       events.Events{Publisher: o.events},
		Transactions: o.db,
		Now:          now,
		Reach:        func(point string) { o.fault.Reach("document-" + point) },
	}}.Register
}

// oldVectorsInterval is how often vectors that nothing is found by are looked for.
const oldVectorsInterval = 5 * time.Minute

// newEmbedDocument wires the making of vectors of documents.
func newEmbedDocument(o knowledgeOptions) usecases.EmbedDocument {
	stored := postgres.Embeddings{DB: o.db, Quota: o.quota, Prices: o.embedding.prices}
	return usecases.EmbedDocument{
		Models:       o.embedding.models,
		Progress:     stored,
		Builds:       postgres.Builds{DB: o.db, Quota: o.quota},
		Records:      stored,
		Vectors:      vectors.Vectors{Points: o.vectors},
		Cache:        postgres.EmbeddingCache{DB: o.db},
		Costs:        o.embedding.counting(stored),
		Transactions: o.db,
		Now:          now,
		Reach:        func(point string) { o.fault.Reach("document-" + point) },
	}
}

// giveUpDocuments returns the hook that records in a document that its job was given up.
func giveUpDocuments(db *postgresdb.DB, publisher *outbound.Publisher) deadLetterHook {
	builds := postgres.Builds{DB: db}
	ingest := jobs.Ingest{Document: usecases.IngestDocument{Builds: builds, Events: events.Events{Publisher: publisher}, Transactions: db, Now: now}}
	return func(ctx context.Context, l queue.DeadLetterDetail) error {
		if l.Kind != postgres.IngestKind {
			return nil
		}
		return ingest.OnDeadLetter(ctx, l.Payload)
	}
}

// orphanTimeout is how long one run through all stored bytes may take.
const orphanTimeout = 30 * time.Minute

// inWorkspace returns a context for background work in a workspace whose id is part of the name of stored bytes.
func inWorkspace(ctx context.Context, workspace uuid.UUID) context.Context {
	return callctx.As(ctx, workspace, uuid.Nil)
}

// filesPurge returns the hook that removes the bytes of the files of a purged workspace.
func filesPurge(files blob.Store) []purgeHook { return []purgeHook{blobs.Bytes{Store: files}.Forget} }
