package httptool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/parley/parley/modules/bots/domain"
)

// unfitError says which argument cannot be sent, for the model.
type unfitError struct{ name, rule string }

func (e unfitError) Error() string { return fmt.Sprintf("The argument %s %s.", e.name, e.rule) }

// newRequest makes the request of a call. It returns an unfitError where an argument cannot be put into the URL.
func newRequest(ctx context.Context, d domain.ToolDefinition, arguments json.RawMessage) (*http.Request, error) {
	left := map[string]json.RawMessage{}
	if err := json.Unmarshal(arguments, &left); err != nil {
		return nil, errors.New("the arguments are no JSON object")
	}
	target, filled, err := fill(d.URL, left)
	if err != nil {
		return nil, err
	}
	for _, name := range filled {
		delete(left, name)
	}
	if d.Method == http.MethodGet || d.Method == http.MethodDelete {
		if target.RawQuery, err = query(target.Query(), left); err != nil {
			return nil, err
		}
		return http.NewRequestWithContext(ctx, d.Method, target.String(), http.NoBody)
	}
	body := []byte(arguments)
	if len(filled) > 0 {
		if body, err = json.Marshal(left); err != nil {
			return nil, fmt.Errorf("encode the arguments: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, d.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// fill puts arguments into the places of a URL's path, and returns which.
func fill(raw string, arguments map[string]json.RawMessage) (target *url.URL, filled []string, err error) {
	target, err = url.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	filled = domain.Placeholders(target.EscapedPath())
	if len(filled) == 0 {
		return target, nil, nil
	}
	path := target.EscapedPath()
	for _, name := range filled {
		value, err := scalar(name, arguments[name])
		if err != nil {
			return nil, nil, err
		}
		if !isSegment(value) {
			return nil, nil, unfitError{name, "must not be empty, and must not have . or .. as a part of a path"}
		}
		for _, place := range []string{"{" + name + "}", "%7B" + name + "%7D", "%7b" + name + "%7d"} {
			path = strings.ReplaceAll(path, place, url.PathEscape(value))
		}
	}
	target.RawPath = path
	if target.Path, err = url.PathUnescape(path); err != nil {
		return nil, nil, err
	}
	return target, filled, nil
}

// isSegment reports whether a text may become a part of a path. Servers that decode %2F or take \ for / must not be led elsewhere.
func isSegment(value string) bool {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
		return false
	}
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == '/' || r == '\\' })
	return !slices.ContainsFunc(parts, func(part string) bool { return part == "." || part == ".." })
}

// query adds arguments to the query that a URL has, whose own values stay.
func query(own url.Values, arguments map[string]json.RawMessage) (string, error) {
	for name, raw := range arguments {
		if own.Has(name) {
			return "", unfitError{name, "is fixed for this tool"}
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			list = []json.RawMessage{raw}
		}
		for _, one := range list {
			if bytes.Equal(one, []byte("null")) {
				continue
			}
			value, err := scalar(name, one)
			if err != nil {
				return "", err
			}
			own.Add(name, value)
		}
	}
	return own.Encode(), nil
}

// scalar returns the text of a text, number or boolean.
func scalar(name string, raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.ContainsAny(raw[:1], "{[n") {
		return "", unfitError{name, "must be a text, a number or a boolean"}
	}
	if raw[0] != '"' {
		return string(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", unfitError{name, "must be a text"}
	}
	return text, nil
}
