package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
)

const (
	maxVariables     = 50
	maxVariableValue = 2000 // characters
)

// ErrVariables states the rule for the values of variables.
var ErrVariables = errors.New("must be at most 50 values of up to 2000 characters; a name is a small letter, then up to 63 small letters, digits and underscores")

var variableName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Variables are values for the variables in an instruction, by their names.
type Variables map[string]string

// OrNone returns the values; an empty set for nil.
func (v Variables) OrNone() Variables {
	if v == nil {
		return Variables{}
	}
	return v
}

// Check returns ErrVariables for values that nothing may have.
func (v Variables) Check() error {
	if len(v) > maxVariables {
		return ErrVariables
	}
	for name, value := range v {
		if !variableName.MatchString(name) || utf8.RuneCountInString(value) > maxVariableValue {
			return ErrVariables
		}
	}
	return nil
}

// declared returns the variables that a version of a bot declares, with their defaults.
func (p *Pinned) declared() Variables {
	if !bytes.Contains(p.Settings, []byte(`"variables"`)) {
		return nil
	}
	var settings struct {
		Variables []struct {
			Name    string `json:"name"`
			Default string `json:"default"`
		} `json:"variables"`
	}
	if jsonv2.Unmarshal(p.Settings, &settings) != nil { // of a version from before there were variables
		return nil
	}
	defaults := Variables{}
	for _, v := range settings.Variables {
		defaults[v.Name] = v.Default
	}
	return defaults
}

// placeholder is the place of a variable in an instruction.
var placeholder = regexp.MustCompile(`\{\{ *([a-z][a-z0-9_]{0,63}) *\}\}`)

// Filled returns the version with the values in its instruction, in place of the variables that it declares. A value is one line, and
// variables in it are text.
func (p *Pinned) Filled(values Variables) *Pinned {
	if p == nil || !strings.Contains(p.Instruction, "{{") {
		return p
	}
	declared := p.declared()
	if len(declared) == 0 {
		return p
	}
	filled := *p
	filled.Instruction = placeholder.ReplaceAllStringFunc(p.Instruction, func(place string) string {
		name := placeholder.FindStringSubmatch(place)[1]
		value, ok := declared[name]
		if !ok {
			return place
		}
		if given, ok := values[name]; ok {
			value = given
		}
		return oneLine(value)
	})
	return &filled
}

// oneLine returns a text with spaces in place of line breaks and other control characters.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsControl(c) || c == '\u2028' || c == '\u2029' }), " ")
}

// ReadVariables reads stored values; nil are none.
func ReadVariables(stored json.RawMessage) (v Variables, err error) {
	if len(stored) == 0 {
		return nil, nil
	}
	return v, json.Unmarshal(stored, &v)
}
