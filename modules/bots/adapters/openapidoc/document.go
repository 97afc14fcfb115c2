// Package openapidoc reads the operations of OpenAPI 3 documents as tools. A document comes from outside: nothing else is loaded, and what
// is read of it is bounded.
package openapidoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// Documents reads OpenAPI documents.
type Documents struct{}

var _ ports.ToolDocuments = Documents{}

const (
	maxOperations  = 500
	maxDescription = 4000 // characters
	maxRefs        = 32   // that follow each other outside of schemas
)

// object is an object of a document.
type object = map[string]any

// document is a document with where its calls go.
type document struct {
	root object
	base string
}

// Read returns the operations of a document, in the order of their paths. The document is JSON or YAML. The base is in place of the URL of its
// server; empty: that one.
func (Documents) Read(raw []byte, base, prefix string) ([]domain.ImportedTool, error) {
	var root object
	if err := yaml.Unmarshal(raw, &root); err != nil { // JSON is YAML; aliases that multiply are refused
		return nil, &domain.RuleError{Field: "document", Rule: "must be JSON or YAML"}
	}
	if version, _ := root["openapi"].(string); !strings.HasPrefix(version, "3.") {
		return nil, &domain.RuleError{Field: "document", Rule: "must be an OpenAPI document of version 3"}
	}
	d := document{root, base}
	if base == "" {
		d.base = d.server()
	}
	if u, err := url.Parse(d.base); err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, &domain.RuleError{Field: "base_url", Rule: "must be an absolute URL without a query, as the document names no server with one"}
	}
	var tools []domain.ImportedTool
	paths, _ := root["paths"].(object)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, err := d.resolve(paths[path])
		if err != nil {
			continue // it is of another document
		}
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			operation, is := item[method].(object)
			if !is {
				continue
			}
			if len(tools) == maxOperations {
				return nil, &domain.RuleError{Field: "document", Rule: fmt.Sprintf("must have at most %d operations", maxOperations)}
			}
			tools = append(tools, d.tool(prefix, path, method, item, operation))
		}
	}
	return tools, nil
}

// server returns the URL of the first server, with the defaults of its variables.
func (d document) server() string {
	servers, _ := d.root["servers"].([]any)
	if len(servers) == 0 {
		return ""
	}
	first, _ := servers[0].(object)
	base, _ := first["url"].(string)
	variables, _ := first["variables"].(object)
	for name, value := range variables {
		of, _ := value.(object)
		base = strings.ReplaceAll(base, "{"+name+"}", fmt.Sprint(of["default"]))
	}
	return base
}

// tool returns an operation as a tool.
func (d document) tool(prefix, path, method string, item, operation object) domain.ImportedTool {
	id, _ := operation["operationId"].(string)
	if id == "" {
		id = method + strings.NewReplacer("/", "_", "{", "", "}", "").Replace(path)
	}
	effect, upper, description := domain.Writes, strings.ToUpper(method), describe(operation, method, path)
	if method == "get" {
		effect = domain.Reads
	}
	tool := domain.ImportedTool{OperationID: id, Name: domain.ImportedName(prefix, id)}
	target := strings.TrimRight(d.base, "/") + path
	tool.Definition = domain.ToolChanges{Description: &description, Effect: &effect, Method: &upper, URL: &target}
	schema, err := d.arguments(method, item, operation)
	if err == nil {
		tool.Definition.Schema, err = json.Marshal(schema)
	}
	if err != nil {
		tool.Problem = err.Error()
	}
	return tool
}

func describe(operation object, method, path string) string {
	summary, _ := operation["summary"].(string)
	more, _ := operation["description"].(string)
	text := strings.TrimSpace(summary + "\n\n" + more)
	if text == "" {
		text = strings.ToUpper(method) + " " + path
	}
	if runes := []rune(text); len(runes) > maxDescription {
		text = string(runes[:maxDescription])
	}
	return text
}

var errElsewhere = errors.New("it refers to what is not in the document")

// resolve returns an object, or what its $ref names.
func (d document) resolve(value any) (object, error) {
	for range maxRefs {
		of, is := value.(object)
		if !is {
			return nil, errElsewhere
		}
		ref, is := of["$ref"].(string)
		if !is {
			return of, nil
		}
		if value = d.find(ref); value == nil {
			return nil, errElsewhere
		}
	}
	return nil, errElsewhere
}

// find returns what a $ref names; nil where that is not in the document.
func (d document) find(ref string) any {
	rest, is := strings.CutPrefix(ref, "#/")
	if !is {
		return nil
	}
	var part any = d.root
	for step := range strings.SplitSeq(rest, "/") {
		of, _ := part.(object)
		part = of[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return part
}
