package extract

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley/parley/modules/knowledge/domain"
)

// readJSON reads a sequence of JSON values, such as JSON lines. Each value, and each element of an array that is one, is a
// paragraph with a line "name: value" for each of its fields.
func readJSON(text string, out *output) error {
	r := jsonReader{
		in:  jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		out: out,
	}
	for {
		var err error
		if r.in.PeekKind() == '[' {
			err = r.each(']', r.record)
		} else {
			err = r.record()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

type jsonReader struct {
	in   *jsontext.Decoder
	out  *output
	text strings.Builder // of the record
}

func (r *jsonReader) record() error {
	r.text.Reset()
	if err := r.value("", 0); err != nil {
		return err
	}
	return r.out.add(domain.Paragraph, 0, r.text.String())
}

// value reads a value and writes the fields in it. It returns io.EOF where there is none.
func (r *jsonReader) value(path string, depth int) error {
	if depth > r.out.limits.Depth {
		return tooLarge("depth", int64(r.out.limits.Depth))
	}
	switch r.in.PeekKind() {
	case '[':
		return r.each(']', func() error { return r.value(path, depth+1) })
	case '{':
		return r.each('}', func() error {
			name, err := r.in.ReadToken()
			if err != nil {
				return err
			}
			return r.value(joinPath(path, name.String()), depth+1)
		})
	default:
	}
	token, err := r.in.ReadToken()
	if err != nil || token.Kind() == 'n' {
		return err
	}
	if path != "" {
		r.text.WriteString(path + ": ")
	}
	r.text.WriteString(token.String() + "\n")
	if r.text.Len() > r.out.limits.Characters*4 { // bytes of a code point
		return tooLarge("characters", int64(r.out.limits.Characters))
	}
	return r.out.ctx.Err()
}

// each reads the beginning of an object or array, what is in it, and its end.
func (r *jsonReader) each(end jsontext.Kind, read func() error) error {
	if _, err := r.in.ReadToken(); err != nil {
		return err
	}
	for r.in.PeekKind() != end {
		if err := read(); errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
	_, err := r.in.ReadToken()
	return err
}

// joinPath returns the name of a field in a field. It is short, since it stands before each value.
func joinPath(path, name string) string {
	const most = 200 // bytes
	if path != "" {
		name = path + "." + name
	}
	return strings.ToValidUTF8(name[:min(len(name), most)], "")
}
