package openapidoc

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// arguments returns one schema of the parameters of an operation and the properties of its body.
func (d document) arguments(method string, item, operation object) (object, error) {
	b := builder{document: d, definitions: object{}, properties: object{}}
	if err := b.parameters(method, item, operation); err != nil {
		return nil, err
	}
	if err := b.body(method, operation); err != nil {
		return nil, err
	}
	schema := object{"type": "object", "properties": b.properties, "additionalProperties": b.open}
	if len(b.required) > 0 {
		schema["required"] = b.required
	}
	if len(b.definitions) > 0 {
		schema["$defs"] = b.definitions
	}
	return schema, nil
}

// builder collects the arguments of an operation.
type builder struct {
	document
	properties, definitions object
	required                []string
	open                    bool // the body may have other properties
	copied                  int  // values, so far
}

// maxCopied bounds the schemas that are copied for one operation: beyond it no tool can have them.
const maxCopied = 10_000

func (b *builder) parameters(method string, item, operation object) error {
	named := map[string]object{} // those of the operation replace those of its path
	var order []string
	for _, list := range []any{item["parameters"], operation["parameters"]} {
		parameters, _ := list.([]any)
		for _, one := range parameters {
			p, err := b.resolve(one)
			if err != nil {
				return err
			}
			key := fmt.Sprint(p["in"], " ", p["name"])
			if named[key] == nil {
				order = append(order, key)
			}
			named[key] = p
		}
	}
	for _, key := range order {
		if err := b.parameter(method, named[key]); err != nil {
			return err
		}
	}
	return nil
}

var placeName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (b *builder) parameter(method string, p object) error {
	name, _ := p["name"].(string)
	required, _ := p["required"].(bool)
	inQuery := p["in"] == "query" && (method == "get" || method == "delete")
	switch {
	case p["in"] == "path" && !placeName.MatchString(name):
		return fmt.Errorf("its path has the parameter %q, whose name has other characters than letters, digits, underscores and dashes", name)
	case p["in"] != "path" && !inQuery && required:
		return fmt.Errorf("it requires %q in its %v, which a tool does not send", name, p["in"])
	case p["in"] != "path" && !inQuery:
		return nil
	}
	schema, err := b.copy(p["schema"])
	if err != nil {
		return err
	}
	if text, is := p["description"].(string); is {
		if of, is := schema.(object); is && of["description"] == nil {
			of["description"] = text
		}
	}
	return b.add(name, schema, required || p["in"] == "path")
}

func (b *builder) add(name string, schema any, required bool) error {
	if _, taken := b.properties[name]; taken {
		return fmt.Errorf("it has two arguments %q", name)
	}
	b.properties[name] = schema
	if required {
		b.required = append(b.required, name)
	}
	return nil
}

// body adds the properties of a body, which must be an object of JSON.
func (b *builder) body(method string, operation object) error {
	if operation["requestBody"] == nil || method == "get" || method == "delete" {
		return nil
	}
	body, err := b.resolve(operation["requestBody"])
	if err != nil {
		return err
	}
	content, _ := body["content"].(object)
	media, is := content["application/json"].(object)
	if !is {
		return errors.New("its body is no application/json")
	}
	schema, err := b.resolve(media["schema"])
	if err != nil {
		return errors.New("its body has no schema")
	}
	if schema["properties"] == nil && schema["type"] != "object" {
		return errors.New("its body is no object with properties of its own")
	}
	properties, _ := schema["properties"].(object)
	required, _ := schema["required"].([]any)
	must, _ := body["required"].(bool)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		copied, err := b.copy(properties[name])
		if err != nil {
			return err
		}
		if of, is := copied.(object); is && of["readOnly"] == true {
			continue
		}
		if err := b.add(name, copied, must && slices.Contains(required, any(name))); err != nil {
			return err
		}
	}
	b.open = schema["additionalProperties"] != nil && schema["additionalProperties"] != false
	return nil
}

// copy returns a schema in the form of JSON Schema 2020-12. What it refers to is copied to the definitions.
func (b *builder) copy(schema any) (any, error) {
	b.copied++
	if b.copied > maxCopied {
		return nil, errors.New("its schemas are too large")
	}
	switch s := schema.(type) {
	case nil:
		return object{}, nil
	case []any:
		list := make([]any, len(s))
		for i, one := range s {
			var err error
			if list[i], err = b.copy(one); err != nil {
				return nil, err
			}
		}
		return list, nil
	case object:
		return b.copyObject(s)
	}
	return schema, nil
}

func (b *builder) copyObject(s object) (any, error) {
	if ref, is := s["$ref"].(string); is {
		name, err := b.define(ref)
		return object{"$ref": "#/$defs/" + name}, err
	}
	copied := make(object, len(s))
	for _, key := range slices.Sorted(maps.Keys(s)) {
		switch key {
		case "xml", "externalDocs", "discriminator", "nullable", "example":
			continue
		case "enum", "const", "default", "examples": // values, and no schemas
			copied[key] = s[key]
			continue
		case "properties", "patternProperties", "dependentSchemas":
			named, err := b.copyNamed(s[key])
			if err != nil {
				return nil, err
			}
			copied[key] = named
			continue
		case "pattern": // of another dialect it is left out: the target checks it
			if text, _ := s[key].(string); !isRE2(text) {
				continue
			}
		}
		var err error
		if copied[key], err = b.copy(s[key]); err != nil {
			return nil, err
		}
	}
	modernize(copied, s["nullable"] == true)
	return copied, nil
}

// copyNamed copies an object whose keys are names and whose values are schemas.
func (b *builder) copyNamed(value any) (any, error) {
	of, is := value.(object)
	if !is {
		return value, nil
	}
	named := make(object, len(of))
	for name, schema := range of {
		var err error
		if named[name], err = b.copy(schema); err != nil {
			return nil, err
		}
	}
	return named, nil
}

// modernize turns keywords of OpenAPI 3.0 into those of 3.1.
func modernize(schema object, nullable bool) {
	if kind, is := schema["type"].(string); is && nullable {
		schema["type"] = []any{kind, "null"}
		if values, is := schema["enum"].([]any); is && !slices.Contains(values, nil) {
			schema["enum"] = append(values, nil)
		}
	}
	for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		if strict, is := schema[exclusive].(bool); is {
			delete(schema, exclusive)
			if strict && schema[bound] != nil {
				schema[exclusive] = schema[bound]
				delete(schema, bound)
			}
		}
	}
}

func isRE2(pattern string) bool {
	_, err := syntax.Parse(pattern, syntax.Perl)
	return err == nil
}

// define copies what a $ref names to the definitions, and returns its name there.
func (b *builder) define(ref string) (name string, err error) {
	name = strings.Trim(regexp.MustCompile(`[^A-Za-z0-9_.-]+`).ReplaceAllString(strings.TrimPrefix(ref, "#/components/schemas/"), "_"), "_")
	if _, known := b.definitions[name]; known {
		return name, nil
	}
	found := b.find(ref)
	if found == nil {
		return "", errElsewhere
	}
	b.definitions[name] = true // a schema that refers to itself ends here; it is refused as the schema of a tool
	b.definitions[name], err = b.copy(found)
	return name, err
}
