// Package schemas checks the schemas of tools, and arguments by them. Both come from outside: every check is bounded.
package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
	"github.com/parley/parley/platform/request/contract"
)

// Schemas are schemas of JSON Schema 2020-12. They are safe for concurrent use.
type Schemas struct{}

var _ ports.ToolSchemas = Schemas{}

const (
	maxArguments  = 64 << 10 // bytes
	maxDepth      = 32       // of a schema and of arguments
	maxProblems   = 10       // that a model is shown
	maxProblem    = 300      // bytes of each
	maxRuleLength = 500      // bytes of what is wrong with a schema

	// location is what the compiler knows a schema by. Nothing is read from there.
	location = "urn:schema"
)

// Check returns a *domain.RuleError where a schema is none, or could make a check of arguments take long.
func (Schemas) Check(schema json.RawMessage) error {
	root, err := decode(schema)
	if err == nil {
		err = measure(root)
	}
	if err == nil {
		_, err = compile(root)
	}
	if err != nil {
		return &domain.RuleError{Field: "schema", Rule: short(err.Error(), maxRuleLength)}
	}
	return nil
}

// decode reads a schema of arguments.
func decode(schema json.RawMessage) (map[string]any, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	root, is := value.(map[string]any)
	if err != nil || !is || root["type"] != "object" {
		return nil, errors.New("must be an object with type: object")
	}
	return root, nil
}

// nowhere loads no schema from anywhere.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errors.New("is not part of the schema") }

func compile(root map[string]any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	if err := c.AddResource(location, root); err != nil {
		return nil, fmt.Errorf("must be a JSON Schema of 2020-12: %w", err)
	}
	compiled, err := c.Compile(location)
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if found, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			return nil, fmt.Errorf("must be a JSON Schema of 2020-12: %s", strings.Join(problems(found, nil), "; "))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("must be a JSON Schema of 2020-12: %w", err)
	}
	return compiled, nil
}

// Validate returns what is wrong with arguments, in a line for each of the first problems. No arguments are an empty object.
func (Schemas) Validate(schema, arguments json.RawMessage) (problem string, err error) {
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	switch {
	case len(arguments) > maxArguments:
		return fmt.Sprintf("The arguments must have at most %d bytes.", maxArguments), nil
	case !json.Valid(arguments):
		return "The arguments must be a JSON object.", nil
	case contract.HasLongNumber(arguments):
		return "The arguments have a number that is too long.", nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(arguments))
	if err != nil {
		return "The arguments must be a JSON object.", nil //nolint:nilerr // it is the model's
	}
	if depthOf(value) > maxDepth {
		return fmt.Sprintf("The arguments must be nested at most %d deep.", maxDepth), nil
	}
	root, err := decode(schema)
	if err == nil {
		err = measure(root) // an imported schema was not checked
	}
	if err != nil {
		return "", err
	}
	compiled, err := compile(root)
	if err != nil {
		return "", err
	}
	err = compiled.Validate(value)
	if found, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return "The arguments do not match the schema of the tool:\n" + strings.Join(problems(found, nil), "\n"), nil
	}
	return "", err
}

// problems returns the innermost problems of a value, with where they are.
func problems(v *jsonschema.ValidationError, found []string) []string {
	if len(v.Causes) == 0 && len(found) < maxProblems {
		where := "/" + strings.Join(v.InstanceLocation, "/")
		return append(found, short(where+": "+v.ErrorKind.LocalizedString(message.NewPrinter(language.English)), maxProblem))
	}
	for _, cause := range v.Causes {
		found = problems(cause, found)
	}
	return found
}

func short(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func depthOf(value any) int {
	deepest := 0
	switch v := value.(type) {
	case map[string]any:
		for _, one := range v {
			deepest = max(deepest, depthOf(one))
		}
	case []any:
		for _, one := range v {
			deepest = max(deepest, depthOf(one))
		}
	default:
		return 0
	}
	return deepest + 1
}
