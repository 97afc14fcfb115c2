package extract

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/parley/parley/modules/knowledge/ports"
)

type format int

const (
	formatPlain format = iota
	formatHTML
	formatMarkdown
	formatCSV
	formatJSON
	formatPDF
	formatArchive // DOCX, PPTX, XLSX, EPUB: its entries tell
)

const sniffed = 3072 // bytes at the beginning of a file by which its type is detected

// detect returns the format of a file: by its content, and for texts by its name, then by its declared type.
func detect(file ports.ExtractionSource) (format, error) {
	head := make([]byte, min(file.Size, sniffed))
	n, err := file.Content.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	head = head[:n]
	switch {
	case len(bytes.TrimSpace(head)) == 0 && file.Size <= sniffed:
		return 0, ports.ErrNoText
	case bytes.Contains(head[:min(n, 1024)], []byte("%PDF-")):
		return formatPDF, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return formatArchive, nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return 0, compoundFile(file)
	}
	detected := mimetype.Detect(head)
	if detected.Is("text/html") || detected.Is("application/xhtml+xml") {
		return formatHTML, nil
	}
	if !isText(detected) && !looksLikeText(head) || detected.Is("text/rtf") {
		return 0, ports.ErrUnsupportedFile.With("detected", detected.String())
	}
	if f, ok := formatOf(strings.ToLower(path.Ext(file.Name))); ok {
		return f, nil
	}
	declared, _, _ := mime.ParseMediaType(file.ContentType)
	if f, ok := formatOf(declared); ok {
		return f, nil
	}
	if f, ok := formatOf(strings.TrimSpace(strings.Split(detected.String(), ";")[0])); ok {
		return f, nil
	}
	return formatPlain, nil
}

// formatOf returns the format of a text by an extension of names or a media type.
func formatOf(kind string) (format, bool) {
	switch kind {
	case ".html", ".htm", ".xhtml", "text/html", "application/xhtml+xml":
		return formatHTML, true
	case ".md", ".markdown", ".mdown", ".mkd", "text/markdown", "text/x-markdown":
		return formatMarkdown, true
	case ".csv", ".tsv", ".tab", "text/csv", "text/tab-separated-values":
		return formatCSV, true
	case ".jsonl", ".ndjson", ".json", "application/json", "application/jsonl", "application/x-ndjson", "application/x-jsonlines":
		return formatJSON, true
	case ".txt", ".text", ".log":
		return formatPlain, true
	}
	return formatPlain, false
}

func isText(m *mimetype.MIME) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return true
		}
	}
	return false
}

// looksLikeText is for texts in old encodings, and in UTF-16 without a mark, which mimetype takes for binary data.
func looksLikeText(head []byte) bool {
	return utf16Order(head) != nil || !hasControls(head)
}

// hasControls reports whether data has characters that texts in encodings of one byte do not have.
func hasControls(data []byte) bool {
	return bytes.ContainsFunc(data, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != '\v' && r != 0x1a && r != 0x1b
	})
}

// compoundFile returns why an OLE compound file is not read: it is an encrypted document of today's Office, or a
// document of the Office of before 2007.
func compoundFile(file ports.ExtractionSource) error {
	const window = 1 << 20
	name := utf16("EncryptedPackage")
	data := make([]byte, window)
	for at := int64(0); at < file.Size && at < 64*window; at += window - int64(len(name)) {
		n, err := file.Content.ReadAt(data, at)
		if bytes.Contains(data[:n], name) {
			return ports.ErrEncryptedFile
		}
		if err != nil {
			break
		}
	}
	return ports.ErrUnsupportedFile.With("detected", "a document of Office 97-2003: save it as DOCX, PPTX or XLSX")
}

func utf16(ascii string) []byte {
	var b []byte
	for i := range len(ascii) {
		b = append(b, ascii[i], 0)
	}
	return b
}
