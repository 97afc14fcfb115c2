package extract

import (
	"bytes"
	"encoding/xml"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/parley/parley/modules/knowledge/ports"
)

// readEPUB reads the chapters of a book in their order, without its table of contents.
func readEPUB(a *archive) error {
	if encrypted, err := isProtected(a); err != nil || encrypted {
		return errorOr(err, ports.ErrEncryptedFile)
	}
	book := ""
	if err := a.elements("META-INF/container.xml", func(e xml.StartElement) error {
		if e.Name.Local == "rootfile" && book == "" {
			book = resolve("", attribute(e, "full-path"))
		}
		return nil
	}, nil, nil); err != nil {
		return err
	}
	var (
		chapters []string
		hrefs    = map[string]string{}
		inTitle  = false
	)
	if err := a.elements(book, func(e xml.StartElement) error {
		switch e.Name.Local {
		case "title":
			inTitle = true
		case "item":
			contents := slices.Contains(strings.Fields(attribute(e, "properties")), "nav")
			if media := attribute(e, "media-type"); !contents && (media == "application/xhtml+xml" || media == "text/html") {
				hrefs[attribute(e, "id")] = resolve(path.Dir(book), attribute(e, "href"))
			}
		case "itemref":
			if part := hrefs[attribute(e, "idref")]; a.has(part) {
				chapters = append(chapters, part)
			}
		}
		return nil
	}, func(string) error {
		inTitle = false
		return nil
	}, func(text string) {
		if inTitle {
			a.out.title(text)
		}
	}); err != nil {
		return err
	}
	for _, part := range chapters {
		data, err := a.readAll(part)
		if err != nil {
			return err
		}
		text, err := decode(data, declaredCharset(data))
		if err != nil {
			return err
		}
		if err := readHTML(text, a.out); err != nil {
			return err
		}
	}
	return nil
}

// isProtected reports whether chapters are encrypted. Fonts may be obfuscated, which protects no text.
func isProtected(a *archive) (bool, error) {
	const part = "META-INF/encryption.xml"
	if !a.has(part) {
		return false, nil
	}
	data, err := a.readAll(part)
	return bytes.Contains(data, []byte(`"http://www.w3.org/2001/04/xmlenc#`)), err
}

func (a *archive) readAll(name string) ([]byte, error) {
	part, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	data, err := io.ReadAll(io.LimitReader(part, longestText+1))
	if len(data) > longestText {
		return nil, tooLarge("bytes", longestText)
	}
	return data, err
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
