// Package docs builds the documentation that the server publishes at /docs: the guides, and the reference of its
// OpenAPI document.
package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is an OpenAPI document whose keys keep the order in which they were written.
type Document struct{ root *yaml.Node }

// Operation is one operation of the document.
type Operation struct {
	ID, Tag, Method, Path, Summary, Description string
	// Permission is the permission that a caller needs; "none" for calls about the caller, empty for calls without a
	// token.
	Permission string
}

// isMethod reports whether a key of a path is a call of it.
func isMethod(key string) bool {
	return slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, key)
}

// Publish returns the document in the form that clients read: without the keys that only the code generator reads
// (x-go-…), with the permission of each call in its description, and with examples of responses. examples holds them by
// operation id and status.
func Publish(document, examples []byte) (Document, error) {
	var written, answers yaml.Node
	if err := errors.Join(yaml.Unmarshal(document, &written), yaml.Unmarshal(examples, &answers)); err != nil {
		return Document{}, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if len(written.Content) != 1 {
		return Document{}, errors.New("read the OpenAPI document: it is empty")
	}
	d := Document{root: expand(written.Content[0])}
	strip(d.root)
	for _, op := range d.calls() {
		node := op.node
		if needs := needsOf(op); needs != "" {
			setText(node, "description", needs+op.Description)
		}
		if len(answers.Content) == 1 {
			addExamples(d.root, node, field(answers.Content[0], op.ID))
		}
	}
	return d, nil
}

// needsOf describes what a caller needs for an operation; "" for one without a token.
func needsOf(op calledAt) (text string) {
	switch op.Permission {
	case "":
		return ""
	case "none":
		text = "**Permission:** None: the call is about the caller.\n\n"
	default:
		text = "**Permission:** `" + op.Permission + "`\n\n"
	}
	if op.fresh {
		text += "**Authentication:** Of the last 10 minutes for a user who has a second factor, else 403 `REAUTHENTICATION_REQUIRED`: `POST /v1/auth/reauthenticate`.\n\n"
	}
	return text
}

// YAML returns the document in YAML.
func (d Document) YAML() ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(d.root); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return out.Bytes(), e.Close()
}

// JSON returns the document in JSON.
func (d Document) JSON() ([]byte, error) {
	var out bytes.Buffer
	if err := writeJSON(&out, d.root); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return out.Bytes(), nil
}

// Operations returns the calls of the document in their order.
func (d Document) Operations() (operations []Operation) {
	for _, c := range d.calls() {
		operations = append(operations, c.Operation)
	}
	return operations
}

// Tags returns the names of the document's tags, in their order, with their descriptions.
func (d Document) Tags() (names []string, descriptions map[string]string) {
	descriptions = map[string]string{}
	if tags := field(d.root, "tags"); tags != nil {
		for _, tag := range tags.Content {
			name := text(tag, "name")
			names = append(names, name)
			descriptions[name] = text(tag, "description")
		}
	}
	return names, descriptions
}

// Description returns the text at the head of the document, in Markdown.
func (d Document) Description() string { return text(field(d.root, "info"), "description") }

// ForTag returns a document with only the operations of one tag and everything that they refer to, so that a browser
// loads about a tenth of the document. The webhooks that the server sends belong to the tag webhooks.
func (d Document) ForTag(tag string) Document {
	info := mapping("title", scalar(tag), "version", scalar(text(field(d.root, "info"), "version")))
	paths := &yaml.Node{Kind: yaml.MappingNode}
	for path, item := range pairs(field(d.root, "paths")) {
		kept := &yaml.Node{Kind: yaml.MappingNode}
		calls := 0
		for key, value := range pairs(item) {
			isCall := isMethod(key)
			if isCall && tagOf(value) != tag {
				continue
			}
			if isCall {
				calls++
			}
			kept.Content = append(kept.Content, scalar(key), value)
		}
		if calls > 0 {
			paths.Content = append(paths.Content, scalar(path), kept)
		}
	}
	part := mapping("openapi", field(d.root, "openapi"), "info", info, "servers", field(d.root, "servers"),
		"security", field(d.root, "security"), "tags", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{mapping("name", scalar(tag))}},
		"paths", paths)
	if sent := field(d.root, "webhooks"); sent != nil && tag == "webhooks" {
		part.Content = append(part.Content, scalar("webhooks"), sent)
	}
	part.Content = append(part.Content, scalar("components"), d.referred(part))
	return Document{root: part}
}

// referred returns the components that part refers to, directly or through others, and all ways to sign in.
func (d Document) referred(part *yaml.Node) *yaml.Node {
	all := field(d.root, "components")
	used := map[string]bool{}
	var follow func(n *yaml.Node)
	follow = func(n *yaml.Node) {
		if name, found := strings.CutPrefix(n.Value, "#/components/"); found && n.Kind == yaml.ScalarNode && !used[name] {
			used[name] = true
			kind, key, _ := strings.Cut(name, "/")
			if target := field(field(all, kind), key); target != nil {
				follow(target)
			}
		}
		for _, child := range n.Content {
			follow(child)
		}
	}
	follow(part)
	components := &yaml.Node{Kind: yaml.MappingNode}
	for kind, group := range pairs(all) {
		kept := &yaml.Node{Kind: yaml.MappingNode}
		for name, value := range pairs(group) {
			if kind == "securitySchemes" || used[kind+"/"+name] {
				kept.Content = append(kept.Content, scalar(name), value)
			}
		}
		if len(kept.Content) > 0 {
			components.Content = append(components.Content, scalar(kind), kept)
		}
	}
	return components
}

// calledAt is a call with its node in the document.
type calledAt struct {
	Operation

	node  *yaml.Node
	fresh bool // a user with a second factor must have authenticated a short time ago
}

func (d Document) calls() (calls []calledAt) {
	for path, item := range pairs(field(d.root, "paths")) {
		for method, node := range pairs(item) {
			if !isMethod(method) {
				continue
			}
			calls = append(calls, calledAt{node: node, fresh: text(node, "x-fresh-authentication") == "true", Operation: Operation{
				ID: text(node, "operationId"), Tag: tagOf(node), Method: method, Path: path, Summary: text(node, "summary"),
				Description: text(node, "description"), Permission: text(node, "x-permission"),
			}})
		}
	}
	return calls
}

// addExamples adds examples, by status, to the JSON responses of an operation that have none.
func addExamples(root, operation, examples *yaml.Node) {
	for status, example := range pairs(examples) {
		answer := resolve(root, field(field(operation, "responses"), status))
		body := field(field(answer, "content"), "application/json")
		if body != nil && field(body, "example") == nil && field(body, "examples") == nil {
			value := expand(example)
			complete(root, field(body, "schema"), value)
			body.Content = append(body.Content, scalar("example"), value)
		}
	}
}

// complete adds to an example the required properties that it lacks and whose schemas have an example. So examples that
// were recorded before a schema got a property stay valid.
func complete(root, schema, example *yaml.Node) {
	schema = resolve(root, schema)
	if parts := field(schema, "allOf"); parts != nil {
		for _, part := range parts.Content {
			complete(root, part, example)
		}
	}
	if example.Kind == yaml.SequenceNode {
		for _, item := range example.Content {
			complete(root, field(schema, "items"), item)
		}
		return
	}
	properties := field(schema, "properties")
	if required := field(schema, "required"); required != nil && example.Kind == yaml.MappingNode {
		for _, name := range required.Content {
			known := field(resolve(root, field(properties, name.Value)), "example")
			if known != nil && field(example, name.Value) == nil {
				example.Content = append(example.Content, scalar(name.Value), expand(known))
			}
		}
	}
	for name, value := range pairs(example) {
		complete(root, field(properties, name), value)
	}
}

// resolve returns what a node refers to by $ref within the document, or the node itself.
func resolve(root, n *yaml.Node) *yaml.Node {
	path, refers := strings.CutPrefix(text(n, "$ref"), "#/")
	if !refers {
		return n
	}
	n = root
	for key := range strings.SplitSeq(path, "/") {
		n = field(n, key)
	}
	return n
}

func tagOf(operation *yaml.Node) string {
	if tags := field(operation, "tags"); tags != nil && len(tags.Content) > 0 {
		return tags.Content[0].Value
	}
	return ""
}

// strip removes every key that begins with x-go-.
func strip(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		kept := n.Content[:0]
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !strings.HasPrefix(n.Content[i].Value, "x-go-") {
				kept = append(kept, n.Content[i], n.Content[i+1])
			}
		}
		n.Content = kept
	}
	for _, child := range n.Content {
		strip(child)
	}
}

func writeJSON(out *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		return writeObject(out, n)
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, child := range n.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeJSON(out, child); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	default:
		return writeScalar(out, n)
	}
}

func writeObject(out *bytes.Buffer, n *yaml.Node) error {
	out.WriteByte('{')
	first := true
	for key, value := range pairs(n) {
		if !first {
			out.WriteByte(',')
		}
		first = false
		if err := writeScalar(out, scalar(key)); err != nil {
			return err
		}
		out.WriteByte(':')
		if err := writeJSON(out, value); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func writeScalar(out *bytes.Buffer, n *yaml.Node) error {
	var value any = n.Value
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!timestamp" {
		if err := n.Decode(&value); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	out.Truncate(out.Len() - 1) // Encode ends with a line break
	return nil
}
