package schemas

import (
	"errors"
	"fmt"
	"net/url"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Limits of a schema, which bound how long a check of arguments can take.
const (
	maxParts        = 3000 // values, where each $ref counts as what it names
	maxPattern      = 1000 // bytes of a regular expression
	maxInstructions = 4000 // of all regular expressions, as they are compiled
)

var errCircle = errors.New("must have no $ref that leads back to itself")

// measure returns an error where a schema is too large, refers to other documents or to itself.
func measure(root map[string]any) error {
	if depthOf(root) > maxDepth {
		return fmt.Errorf("must be nested at most %d deep", maxDepth)
	}
	m := measurement{root: root, sizes: map[string]int{}, open: map[string]bool{}}
	size, err := m.size(root)
	switch {
	case err != nil:
		return err
	case size > maxParts:
		return fmt.Errorf("must have at most %d values, where each $ref counts as what it names", maxParts)
	case m.instructions > maxInstructions:
		return errors.New("must have shorter regular expressions, and fewer of them")
	}
	return nil
}

// measurement counts the values of a schema.
type measurement struct {
	root         map[string]any
	sizes        map[string]int  // of what a $ref names
	open         map[string]bool // $refs that are being followed
	instructions int
}

// size returns how many values a part of the schema has, at most a little more than maxParts.
func (m *measurement) size(part any) (n int, err error) {
	n = 1
	add := func(child any) {
		if err != nil || n > maxParts {
			return
		}
		var more int
		more, err = m.size(child)
		n += more
	}
	switch p := part.(type) {
	case []any:
		for _, child := range p {
			add(child)
		}
	case map[string]any:
		for key, child := range p {
			if err = errors.Join(err, m.keyword(key, child)); err != nil {
				return n, err
			}
			add(child)
			if ref, is := child.(string); is && key == "$ref" && err == nil {
				var more int
				more, err = m.sizeOf(ref)
				n += more
			}
		}
	}
	return n, err
}

// keyword checks a keyword with a value that must be known before the schema is compiled.
func (m *measurement) keyword(key string, value any) error {
	text, is := value.(string)
	switch {
	case key == "patternProperties":
		patterns, _ := value.(map[string]any)
		for pattern := range patterns {
			if err := m.pattern(pattern); err != nil {
				return err
			}
		}
	case !is:
	case key == "pattern":
		return m.pattern(text)
	case key == "$schema":
		if strings.TrimSuffix(text, "#") != "https://json-schema.org/draft/2020-12/schema" {
			return errors.New("must be a schema of https://json-schema.org/draft/2020-12/schema")
		}
	case strings.HasPrefix(key, "$") && key != "$ref" && key != "$comment":
		return fmt.Errorf("must not use %s: $ref may only name parts of the same schema, such as #/$defs/name", key)
	}
	return nil
}

func (m *measurement) pattern(pattern string) error {
	wrong := fmt.Errorf("has a pattern that is no regular expression of RE2 (https://github.com/google/re2/wiki/Syntax), or has more than %d bytes: %q", maxPattern, short(pattern, 100))
	if len(pattern) > maxPattern {
		return wrong
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return wrong
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return wrong
	}
	m.instructions += len(program.Inst)
	return nil
}

// sizeOf returns the size of what a $ref names.
func (m *measurement) sizeOf(ref string) (int, error) {
	if size, known := m.sizes[ref]; known {
		return size, nil
	}
	if m.open[ref] {
		return 0, errCircle
	}
	part, err := m.resolve(ref)
	if err != nil {
		return 0, err
	}
	m.open[ref] = true
	size, err := m.size(part)
	delete(m.open, ref)
	m.sizes[ref] = size
	return size, err
}

// resolve returns what a $ref names.
func (m *measurement) resolve(ref string) (any, error) {
	missing := fmt.Errorf("must have no $ref but to parts of the same schema, such as #/$defs/name; this one is none: %q", short(ref, 100))
	pointer, err := url.PathUnescape(strings.TrimPrefix(ref, "#"))
	if err != nil || !strings.HasPrefix(ref, "#") {
		return nil, missing
	}
	if pointer == "" {
		return m.root, nil
	}
	if pointer[0] != '/' {
		return nil, missing
	}
	var part any = m.root
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch p := part.(type) {
		case map[string]any:
			part = p[step]
		case []any:
			at, err := strconv.Atoi(step)
			if err != nil || at < 0 || at >= len(p) {
				return nil, missing
			}
			part = p[at]
		default:
			part = nil
		}
		if part == nil {
			return nil, missing
		}
	}
	return part, nil
}
