package contract

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley/parley/platform/request/fail"
)

// maxDepth is the maximum nesting depth of a body.
const maxDepth = 64

func malformed(format string, args ...any) *fail.Error {
	return fail.New(fail.Malformed, "BAD_REQUEST", fmt.Sprintf(format, args...))
}

// ParseJSON parses a body strictly (RFC 8259 and I-JSON, RFC 7493). It returns BAD_REQUEST for invalid UTF-8, lone
// surrogates, duplicate keys, trailing data, nesting deeper than MaxDepth, an empty body and a bare null. Text with
// NUL, which Postgres cannot store, and numbers of more than MaxDigits digits are wrong fields: the value is then
// returned together with the error, so that the other fields can be validated too. No value is returned if a number is
// too large for a double.
func ParseJSON(body []byte) (any, error) { return parse(body, isLong) }

// parse reads a body. refuse reports whether a number in it is wrong.
func parse(body []byte, refuse func(number []byte) bool) (any, error) {
	if len(body) == 0 {
		return nil, malformed("the body is empty: send a JSON object")
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, explainSyntax(err)
	} else if err != nil { // JSON, but for a number: its rest was not read
		return nil, fail.Fields(wrongNumbers(body, refuse)...)
	}
	if value == nil {
		return nil, malformed("the body is null: send a JSON object")
	}
	found := scan(body, refuse)
	if found.depth > maxDepth {
		return nil, malformed("the body nests deeper than %d levels", maxDepth)
	}
	var f finder
	if found.nul {
		f.nulls(value)
	}
	wrong := f.found
	if found.wrongNumber {
		wrong = append(wrong, wrongNumbers(body, refuse)...)
	}
	return value, fail.Fields(wrong...)
}

// Canonical returns a JSON body in the order and spacing of RFC 8785, with strings in their shortest form. Numbers keep
// their text, so that 2^53 and 2^53+1 differ. It returns anything that is not JSON unchanged.
func Canonical(body []byte) []byte {
	value := jsontext.Value(bytes.Clone(body))
	if len(value) == 0 || value.Format(jsontext.ReorderRawObjects(true)) != nil {
		return body
	}
	return value
}

func dotted(p jsontext.Pointer) string {
	if p == "" {
		return "body"
	}
	return strings.Join(slices.Collect(p.Tokens()), ".")
}

func explainSyntax(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return malformed("the body is not JSON").Because(err)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return malformed("the body has the key %s twice", short(syntax.JSONPointer.LastToken())).Because(err)
	}
	return malformed("the body is not JSON: error near byte %d", syntax.ByteOffset).Because(err)
}

// finder walks a value and names what is wrong with a part of it. The name of a part is put together only when it is
// wanted: below one long key may lie very many parts.
type finder struct {
	path  []string
	found []fail.Field
}

func (f *finder) nulls(value any) {
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			f.add("NUL", "must not contain the character U+0000")
		}
	case map[string]any:
		for name, c := range v {
			if strings.ContainsRune(name, 0) {
				f.add("NUL", "must not have a key with the character U+0000")
			}
			f.below(name, c)
		}
	case []any:
		for i, c := range v {
			f.below(strconv.Itoa(i), c)
		}
	}
}

func (f *finder) below(name string, value any) {
	if len(f.found) >= maxFields {
		return
	}
	f.path = append(f.path, name)
	f.nulls(value)
	f.path = f.path[:len(f.path)-1]
}

func (f *finder) add(code, message string) {
	if len(f.found) < maxFields {
		f.found = append(f.found, fail.Field{Field: short(strings.Join(f.path, ".")), Code: code, Message: message})
	}
}
