package contract

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley/parley/platform/fail"
)

// MaxDepth is how deep a body may nest.
const MaxDepth = 64

func malformed(format string, args ...any) *fail.Error {
	return fail.New(fail.Malformed, "BAD_REQUEST", fmt.Sprintf(format, args...))
}

// ParseJSON reads a body strictly (RFC 8259 and I-JSON, RFC 7493): invalid UTF-8, lone surrogates, duplicate keys,
// trailing data, too deep a nesting, an empty body and a bare null are refused as BAD_REQUEST. Text with NUL, which
// Postgres cannot hold, is a wrong field.
func ParseJSON(body []byte) (any, error) {
	if len(body) == 0 {
		return nil, malformed("the body is empty: send a JSON object")
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, explainSyntax(err)
	}
	if value == nil {
		return nil, malformed("the body is null: send a JSON object")
	}
	if depth(value, MaxDepth) < 0 {
		return nil, malformed("the body nests deeper than %d levels", MaxDepth)
	}
	return value, fail.Fields(nulls(value, "", nil)...)
}

func explainSyntax(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return malformed("the body is not JSON").Because(err)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return malformed("the body has the key %s twice", syntax.JSONPointer.LastToken()).Because(err)
	}
	return malformed("the body is not JSON: error near byte %d", syntax.ByteOffset).Because(err)
}

// depth gives how much of left remains below a value; negative when it is used up.
func depth(value any, left int) int {
	var children []any
	switch v := value.(type) {
	case map[string]any:
		for _, c := range v {
			children = append(children, c)
		}
	case []any:
		children = v
	default:
		return left
	}
	if left == 0 {
		return -1
	}
	least := left - 1
	for _, c := range children {
		least = min(least, depth(c, left-1))
	}
	return least
}

func nulls(value any, at string, found []fail.Field) []fail.Field {
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			found = append(found, fail.Field{Field: at, Code: "NUL", Message: "must not contain the character U+0000"})
		}
	case map[string]any:
		for name, c := range v {
			if strings.ContainsRune(name, 0) {
				found = append(found, fail.Field{Field: at, Code: "NUL", Message: "must not have a key with the character U+0000"})
			}
			found = nulls(c, join(at, name), found)
		}
	case []any:
		for i, c := range v {
			found = nulls(c, join(at, fmt.Sprint(i)), found)
		}
	}
	return found
}
