package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"slices"
	"strings"
	"time"

	"github.com/parley/parley/.tools/clients/go/parley"
)

const (
	firstPage  = "The kettle is descaled with vinegar every month."
	secondPage = "The warranty of the kettle lasts two years from the day of purchase."
)

// knowledge uploads a manual, lets a bot answer from it, and holds each citation to the text that it points at.
func (w *walker) knowledge(ctx context.Context) error {
	base, err := decode[parley.KnowledgeBase](w.api.CreateKnowledgeBase(ctx, nil, parley.CreateKnowledgeBaseRequest{Name: "Manuals", Language: new(parley.English)}))
	if err != nil {
		return err
	}
	document, err := w.addManual(ctx, base.Id)
	if err != nil {
		return err
	}
	if err := w.findManual(ctx, document); err != nil {
		return err
	}
	return w.askManual(ctx, document)
}

// addManual uploads a PDF of two pages and waits until it is found.
func (w *walker) addManual(ctx context.Context, base parley.KnowledgeBaseId) (d parley.Document, err error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "kettle.pdf")
	if err != nil {
		return d, err
	}
	if _, err := part.Write(pdf(firstPage, secondPage)); err != nil {
		return d, err
	}
	if err := form.Close(); err != nil {
		return d, err
	}
	file, err := decode[parley.File](w.api.CreateFileWithBody(ctx, nil, form.FormDataContentType(), &body))
	if err != nil {
		return d, err
	}
	var year parley.MetadataValue
	if err := year.FromMetadataValue1(2026); err != nil {
		return d, err
	}
	add := parley.AddDocumentRequest{FileId: &file.Id, Metadata: &parley.DocumentMetadata{"year": year}}
	if d, err = decode[parley.Document](w.api.AddDocument(ctx, base, nil, add)); err != nil {
		return d, err
	}
	twice, err := refused(w.api.AddDocument(ctx, base, nil, add))
	if err != nil {
		return d, err
	}
	exists, err := twice.AsDocumentExistsFailure()
	if err := errors.Join(err, expect(twice.Code == "DOCUMENT_EXISTS" && exists.Details.DocumentId == d.Id, "the same file twice is %+v", twice)); err != nil {
		return d, err
	}
	for d.Status != parley.DocumentStatusReady {
		if d.Status == parley.DocumentStatusFailed {
			return d, fmt.Errorf("the document failed: %+v", d.Error)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return d, fmt.Errorf("the document is %s: %w", d.Status, ctx.Err())
		}
		if d, err = decode[parley.Document](w.api.GetDocument(ctx, base, d.Id, nil)); err != nil {
			return d, err
		}
	}
	return d, expect(d.Title == "kettle.pdf" && d.Pages != nil && *d.Pages == 2 && d.Chunks > 0, "the document is %+v", d)
}

// findManual searches the base, with a filter that the document passes and with one that it does not.
func (w *walker) findManual(ctx context.Context, d parley.Document) error {
	for year, want := range map[float64]int{2026: 1, 2025: 0} {
		var value parley.SearchFilter_AdditionalProperties
		var number parley.MetadataValue
		if err := errors.Join(number.FromMetadataValue1(year), value.FromMetadataValue(number)); err != nil {
			return err
		}
		found, err := decode[parley.SearchResult](w.api.SearchKnowledgeBase(ctx, d.KnowledgeBaseId, nil, parley.SearchRequest{
			Query: "descaling", TopK: new(3), Filter: &parley.SearchFilter{"year": value},
		}))
		if err != nil {
			return err
		}
		if err := expect(len(found.Items) == want, "with year %v there are %+v", year, found.Items); err != nil {
			return err
		}
		for _, hit := range found.Items {
			text, err := w.textOf(ctx, d, nil)
			if err != nil {
				return err
			}
			if err := expect(hit.Text == string(text[hit.Start:hit.End]) && len(hit.Highlights) > 0, "the result is %+v", hit); err != nil {
				return err
			}
		}
	}
	return nil
}

// askManual lets a bot know the base and takes a turn, whose citation is on the second page.
func (w *walker) askManual(ctx context.Context, d parley.Document) error {
	settings := parley.NewSettings{Knowledge: &[]parley.BotKnowledge{{Id: d.KnowledgeBaseId, TopK: new(4)}}, NoKnowledge: new(parley.Refuse)}
	bot, err := decode[parley.Bot](w.api.CreateBot(ctx, nil, parley.CreateBotRequest{Name: "Clerk", Settings: &settings}))
	if err != nil {
		return err
	}
	thread, err := decode[parley.Thread](w.api.CreateThread(ctx, nil, parley.CreateThreadRequest{BotId: &bot.Id}))
	if err != nil {
		return err
	}
	turn, err := decode[parley.Turn](w.api.TakeTurn(ctx, thread.Id, nil, parley.TakeTurnRequest{Content: "How long does the warranty last?"}))
	if err != nil {
		return err
	}
	citations := turn.AssistantMessage.Citations
	if err := expect(len(citations) > 0 && strings.Contains(turn.AssistantMessage.Content, "[1]"), "the answer is %+v", turn.AssistantMessage); err != nil {
		return err
	}
	for _, c := range citations {
		if err := w.checkCitation(ctx, d, c); err != nil {
			return err
		}
	}
	if err := expect(slices.ContainsFunc(citations, func(c parley.Citation) bool { return strings.Contains(c.Quote, "two years") }), "the citations are %+v", citations); err != nil {
		return err
	}
	searches, err := decode[parley.RetrievalList](w.api.ListRetrievals(ctx, thread.Id, turn.TurnId, nil))
	if err != nil {
		return err
	}
	cited := func(c parley.RetrievalCandidate) bool { return c.Given && c.Cited && c.ChunkId == citations[0].ChunkId }
	if err := expect(len(searches.Items) == 1 && slices.ContainsFunc(searches.Items[0].Candidates, cited), "the retrievals are %+v", searches.Items); err != nil {
		return err
	}
	inUse, err := refused(w.api.DeleteKnowledgeBase(ctx, d.KnowledgeBaseId, nil))
	return errors.Join(err, expect(inUse.Code == "KNOWLEDGE_BASE_IN_USE", "deleting the base answers %+v", inUse))
}

// checkCitation opens the page that a citation names and the words at its offsets.
func (w *walker) checkCitation(ctx context.Context, d parley.Document, c parley.Citation) error {
	whole, err := w.textOf(ctx, d, nil)
	if err != nil {
		return err
	}
	if err := expect(c.DocumentId == d.Id && c.Page != nil && c.Quote != "" && c.Quote == string(whole[c.Start:c.End]), "the citation is %+v", c); err != nil {
		return err
	}
	page, err := w.textOf(ctx, d, new(int32(*c.Page)))
	return errors.Join(err, expect(strings.Contains(string(page), c.Quote), "page %d is %q, without the quote %q", *c.Page, string(page), c.Quote))
}

// textOf returns the code points of a document, or of one page of it.
func (w *walker) textOf(ctx context.Context, d parley.Document, page *int32) ([]rune, error) {
	text, err := decode[parley.DocumentText](w.api.GetDocumentText(ctx, d.KnowledgeBaseId, d.Id, &parley.GetDocumentTextParams{Page: page}))
	return []rune(text.Text), errors.Join(err, expect(text.End-text.Start == len([]rune(text.Text)), "the text is %+v", text))
}

// pdf returns a file with a line of text on each page.
func pdf(pages ...string) []byte {
	var kids []string
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
	for i, line := range pages {
		number := len(objects) + 1
		kids = append(kids, fmt.Sprintf("%d 0 R", number))
		content := fmt.Sprintf("BT /F1 12 Tf 72 720 Td (%s) Tj ET", line)
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", number+1),
			fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
		objects[1] = fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), i+1)
	}
	var file bytes.Buffer
	file.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, object := range objects {
		offsets[i] = file.Len()
		fmt.Fprintf(&file, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := file.Len()
	fmt.Fprintf(&file, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&file, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&file, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return file.Bytes()
}
