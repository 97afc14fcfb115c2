// Package events publishes the events of documents to the webhook subscriptions of their workspace.
package events

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/work/outbound"
)

// The types of the events; api/openapi.yaml has their fields.
const (
	documentReady  = "document.ready"
	documentFailed = "document.failed"
)

// Events publishes the events of documents.
type Events struct{ Publisher *outbound.Publisher }

var _ ports.Events = Events{}

type document struct {
	ID     uuid.UUID  `json:"document_id"`
	BaseID uuid.UUID  `json:"knowledge_base_id"`
	FileID *uuid.UUID `json:"file_id"`
	Title  string     `json:"title"`
}

type ready struct {
	document
	Chunks int  `json:"chunks"`
	Pages  *int `json:"pages"`
}

type failed struct {
	document
	Error failure `json:"error"`
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e Events) DocumentReady(ctx context.Context, d domain.Document) error {
	return e.Publisher.Publish(ctx, outbound.Event{Type: documentReady, Data: ready{toDocument(d), d.Chunks, d.Pages}})
}

func (e Events) DocumentFailed(ctx context.Context, d domain.Document) error {
	f := failed{document: toDocument(d)}
	if d.Error != nil {
		f.Error = failure(*d.Error)
	}
	return e.Publisher.Publish(ctx, outbound.Event{Type: documentFailed, Data: f})
}

func toDocument(d domain.Document) document {
	return document{ID: d.ID, BaseID: d.BaseID, FileID: d.FileID, Title: d.Title}
}
