package extract

import (
	"archive/zip"
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/parley/parley/modules/knowledge/ports"
)

// archive is a zip file of a document, of which so many bytes may be unpacked.
type archive struct {
	out   *output
	files map[string]*zip.File
	left  int64
}

// openArchive reads the directory of an archive.
func openArchive(file ports.ExtractionSource, out *output) (*archive, error) {
	const bytesPerEntry = 512
	directory := &boundedReaderAt{ReaderAt: file.Content, left: int64(out.limits.Entries)*bytesPerEntry + 1<<20}
	z, err := zip.NewReader(directory, file.Size)
	if directory.left < 0 || err == nil && len(z.File) > out.limits.Entries {
		return nil, tooLarge("entries", int64(out.limits.Entries))
	}
	if err != nil {
		return nil, err
	}
	directory.left = 1 << 62
	a := &archive{out: out, files: make(map[string]*zip.File, len(z.File)), left: out.limits.Bytes}
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			return nil, ports.ErrEncryptedFile
		}
		if _, twice := a.files[f.Name]; !twice {
			a.files[f.Name] = f
		}
	}
	return a, nil
}

// readArchive reads a document that is an archive.
func readArchive(file ports.ExtractionSource, out *output) error {
	a, err := openArchive(file, out)
	if err != nil {
		return err
	}
	main := "word/document.xml"
	if a.has("_rels/.rels") {
		relations, err := a.relations("_rels/.rels", "")
		if err != nil {
			return err
		}
		for _, r := range relations {
			if strings.HasSuffix(r.kind, "/officeDocument") {
				main = r.target
			}
		}
	}
	switch folder, _, _ := strings.Cut(main, "/"); {
	case a.has("META-INF/container.xml"):
		return readEPUB(a)
	case a.has(main) && folder == "word":
		return readDOCX(a, main)
	case a.has(main) && folder == "ppt":
		return readPPTX(a, main)
	case a.has(main) && folder == "xl" && path.Ext(main) == ".xml":
		return readXLSX(file, a)
	}
	return ports.ErrUnsupportedFile.With("detected", "an archive that is no DOCX, PPTX, XLSX or EPUB")
}

func (a *archive) has(name string) bool { return a.files[name] != nil }

// open opens a part of the archive. What is read of all parts counts.
func (a *archive) open(name string) (io.ReadCloser, error) {
	f := a.files[name]
	if f == nil {
		return nil, fmt.Errorf("the part %q is missing", name)
	}
	content, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("part %q: %w", name, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{&unpacking{a, content}, content}, nil
}

// unpacking reads a part and counts it.
type unpacking struct {
	*archive
	io.Reader
}

func (u *unpacking) Read(p []byte) (int, error) {
	if err := u.out.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.Reader.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, tooLarge("bytes", u.out.limits.Bytes)
	}
	return n, err
}

// boundedReaderAt fails after so many bytes.
type boundedReaderAt struct {
	io.ReaderAt
	left int64
}

func (b *boundedReaderAt) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errors.New("the directory of the archive is too large")
	}
	return b.ReaderAt.ReadAt(p, at)
}

// elements reads a part of XML and calls start and end for its elements, and text for what is between them. Any of them
// may be nil. Entities that the part defines itself are not expanded, and are an error.
func (a *archive) elements(name string, start func(xml.StartElement) error, end func(string) error, text func(string)) error {
	part, err := a.open(name)
	if err != nil {
		return err
	}
	defer part.Close()
	source := &tokenReader{Reader: bufio.NewReader(part)}
	tokens := xml.NewDecoder(source)
	tokens.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		e, err := htmlindex.Get(charset)
		if err != nil {
			return nil, err
		}
		return e.NewDecoder().Reader(in), nil
	}
	for depth := 0; ; {
		source.read = 0
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("part %q: %w", name, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > a.out.limits.Depth {
				return tooLarge("depth", int64(a.out.limits.Depth))
			}
			err = start(t)
		case xml.EndElement:
			depth--
			if end != nil {
				err = end(t.Name.Local)
			}
		case xml.CharData:
			if text != nil {
				text(string(t))
			}
		}
		if err != nil {
			return err
		}
	}
}

const longestToken = 8 << 20 // bytes of a tag or a text, which are in memory as a whole

// tokenReader reads a part byte by byte, as an XML decoder does, and fails where a token is too long.
type tokenReader struct {
	*bufio.Reader
	read int
}

func (r *tokenReader) ReadByte() (byte, error) {
	if r.read++; r.read > longestToken {
		return 0, tooLarge("bytes", longestToken)
	}
	return r.Reader.ReadByte()
}

// attribute returns the value of an attribute in any namespace.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// relation is a reference of a part of an Office document to another one.
type relation struct{ id, kind, target string }

// relations reads the references of a part that lies in a folder.
func (a *archive) relations(name, folder string) (all []relation, err error) {
	err = a.elements(name, func(e xml.StartElement) error {
		if e.Name.Local == "Relationship" && attribute(e, "TargetMode") != "External" {
			all = append(all, relation{attribute(e, "Id"), attribute(e, "Type"), resolve(folder, attribute(e, "Target"))})
		}
		return nil
	}, nil, nil)
	return all, err
}

// resolve returns the name of the part that a reference in a folder means.
func resolve(folder, target string) string {
	target, _, _ = strings.Cut(target, "#")
	if unescaped, err := url.PathUnescape(target); err == nil {
		target = unescaped
	}
	if absolute, ok := strings.CutPrefix(target, "/"); ok {
		return path.Clean(absolute)
	}
	return path.Join(folder, target)
}

// titleOf takes the title of the document from the properties of an Office document.
func (a *archive) titleOf(name string) error {
	if !a.has(name) {
		return nil
	}
	inTitle := false
	return a.elements(name, func(e xml.StartElement) error {
		inTitle = e.Name.Local == "title"
		return nil
	}, func(string) error {
		inTitle = false
		return nil
	}, func(text string) {
		if inTitle {
			a.out.title(text)
		}
	})
}
