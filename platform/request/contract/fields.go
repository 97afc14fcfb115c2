package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/parley/parley/platform/request/fail"
)

// wrongFields turns what the validator found into fields, in the order of their names.
func wrongFields(root string, err error) []fail.Field {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return nil
	}
	wrong := leaves(root, v, nil)
	slices.SortStableFunc(wrong, func(a, b fail.Field) int { return strings.Compare(a.Field, b.Field) })
	wrong = slices.CompactFunc(wrong, func(a, b fail.Field) bool { return a == b })
	wrong = wrong[:min(len(wrong), maxFields)]
	for i := range wrong {
		wrong[i].Field = short(wrong[i].Field)
	}
	return wrong
}

// The limits of an error response, which must not be much larger than the body that it describes.
const (
	maxFields   = 100
	longestName = 200 // bytes
)

// short cuts the name of a field, which may be as long as a body.
func short(name string) string {
	if len(name) <= longestName {
		return name
	}
	return strings.ToValidUTF8(name[:longestName], "") + "…"
}

func leaves(root string, v *jsonschema.ValidationError, found []fail.Field) []fail.Field {
	if _, ok := v.ErrorKind.(*kind.OneOf); ok && len(v.Causes) > 0 {
		v = alternatives(v)
	}
	if len(v.Causes) > 0 {
		for _, c := range v.Causes {
			found = leaves(root, c, found)
		}
		return found
	}
	at := v.InstanceLocation
	if root != "" {
		at = append([]string{root}, at...)
	}
	field := strings.Join(at, ".")
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			found = append(found, fail.Field{Field: join(field, name), Code: "REQUIRED", Message: "is required"})
		}
		return found
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		for _, name := range k.Properties[:min(len(k.Properties), maxFields)] { // sorting all of them by field takes long
			found = append(found, fail.Field{Field: join(field, name), Code: "UNKNOWN_FIELD", Message: "is not a field of this call: leave it out"})
		}
		return found
	}
	code, message := explain(v.ErrorKind)
	if field == "" {
		field = "body"
	}
	return append(found, fail.Field{Field: field, Code: code, Message: message})
}

// alternatives returns what is wrong with a value that may have one of several forms: what is wrong with those of its type, or that it has
// none of their types.
func alternatives(v *jsonschema.ValidationError) *jsonschema.ValidationError {
	var types []string
	var fitting []*jsonschema.ValidationError
	pending := slices.Clone(v.Causes)
	for len(pending) > 0 {
		c := pending[0]
		pending = pending[1:]
		here := len(c.InstanceLocation) == len(v.InstanceLocation)
		switch k := c.ErrorKind.(type) {
		case *kind.Type:
			if here {
				types = append(types, k.Want...)
				continue
			}
		case *kind.OneOf, *kind.Reference, *kind.Group, *kind.Schema:
			if here && len(c.Causes) > 0 {
				pending = append(slices.Clone(c.Causes), pending...)
				continue
			}
		}
		fitting = append(fitting, c)
	}
	one := *v
	one.Causes = fitting
	if len(fitting) == 0 {
		slices.Sort(types)
		one.ErrorKind = &kind.Type{Want: slices.Compact(types)}
	}
	return &one
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// explain returns the code and the remedy for a violated keyword.
func explain(k jsonschema.ErrorKind) (code, message string) {
	switch k := k.(type) {
	case *kind.Type:
		return "WRONG_TYPE", "must be " + strings.Join(articles(k.Want), " or ")
	case *kind.MinLength:
		if k.Want == 1 {
			return "TOO_SHORT", "must not be empty"
		}
		return "TOO_SHORT", fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return "TOO_LONG", fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MaxItems:
		return "TOO_LONG", fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.MinItems:
		return "TOO_SHORT", fmt.Sprintf("must have at least %s", count(k.Want, "item"))
	case *kind.MaxProperties:
		return "TOO_LONG", fmt.Sprintf("must have at most %s", count(k.Want, "key"))
	case *kind.MinProperties:
		return "TOO_SHORT", fmt.Sprintf("must have at least %s", count(k.Want, "field"))
	case *kind.Minimum:
		want, _ := k.Want.Float64()
		return "TOO_SMALL", fmt.Sprintf("must be at least %v", want)
	case *kind.Maximum:
		want, _ := k.Want.Float64()
		return "TOO_LARGE", fmt.Sprintf("must be at most %.0f", want)
	case *kind.Enum:
		return "NOT_ALLOWED", oneOf(k.Want)
	case *kind.Format:
		if k.Want == "uuid" {
			return "INVALID_FORMAT", "must be a UUID"
		}
		return "INVALID_FORMAT", k.Err.Error()
	case *kind.Pattern:
		if k.Want == `\S` {
			return "BLANK", "must not be blank"
		}
		return "INVALID_FORMAT", "must match " + k.Want
	default:
		return "INVALID", fmt.Sprintf("breaks the rule %s of the OpenAPI document", strings.Join(k.KeywordPath(), "/"))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func articles(types []string) []string {
	out := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "null":
			out[i] = t
		case "integer":
			out[i] = "a whole number"
		case "object", "array":
			out[i] = "an " + t
		default:
			out[i] = "a " + t
		}
	}
	return out
}

// oneOf says which values a field may have.
func oneOf(want []any) string {
	values := slices.DeleteFunc(slices.Clone(want), func(v any) bool { return v == nil })
	if len(values) < len(want) {
		return fmt.Sprintf("must be null or one of %v", values)
	}
	return fmt.Sprintf("must be one of %v", values)
}
