package ports

import (
	"context"
	"io"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors of extraction. They are permanent: the same file fails again.
var (
	ErrUnsupportedFile  = fail.New(fail.Invalid, "UNSUPPORTED_FILE", "text of this type of file cannot be read: send PDF, DOCX, PPTX, XLSX, HTML, Markdown, TXT, CSV, EPUB or JSON lines")
	ErrEncryptedFile    = fail.New(fail.Invalid, "ENCRYPTED_FILE", "the file is protected by a password: save it without one and upload it again")
	ErrNoText           = fail.New(fail.Invalid, "NO_TEXT", "there is no text in it: a scan must be recognized (OCR) before it is uploaded")
	ErrFileHasTooMuch   = fail.New(fail.Invalid, "TOO_LARGE", "the file has more than is read of one document: divide it")
	ErrExtractionFailed = fail.New(fail.Invalid, "EXTRACTION_FAILED", "the file is damaged, or not of the type that it seems to be: open it, save it anew and upload it again")
)

// ExtractionSource is a file whose text is wanted.
type ExtractionSource struct {
	Content     io.ReaderAt
	Size        int64  // bytes
	Name        string // as it was uploaded; it decides what a text is, such as Markdown or CSV
	ContentType string // declared or detected at the upload; empty where unknown
}

// Extractor extracts the text of files.
type Extractor interface {
	// Extract returns one of the errors above for a file that cannot be read, and the error of ctx where that ends first.
	// It waits while as many files are being read as may be at once.
	Extract(ctx context.Context, file ExtractionSource) (domain.Extracted, error)
}
