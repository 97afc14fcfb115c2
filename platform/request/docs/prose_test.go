package docs_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type object = map[string]any

// at returns the object at a path of keys; nil if there is none.
func at(node object, path ...string) object {
	for _, key := range path {
		node, _ = node[key].(object)
	}
	return node
}

// eachProperty calls visit for every property of every schema in node, at whatever depth.
func eachProperty(node any, path string, visit func(path string, property object)) {
	switch n := node.(type) {
	case object:
		if properties, ok := n["properties"].(object); ok {
			for name, property := range properties {
				if p, ok := property.(object); ok {
					visit(path+"."+name, p)
				}
			}
		}
		for key, child := range n {
			if key != "example" && key != "examples" {
				eachProperty(child, path+"/"+key, visit)
			}
		}
	case []any:
		for _, child := range n {
			eachProperty(child, path, visit)
		}
	}
}

// described reports whether a schema, or the component that it refers to, has a description.
func described(document, schema object) bool {
	if ref, ok := schema["$ref"].(string); ok {
		return described(document, at(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
	}
	text, _ := schema["description"].(string)
	return text != ""
}

func TestEverySchemaFieldAndParameterIsDescribed(t *testing.T) {
	t.Parallel()
	document := decoded(t, published(t))
	for name, schema := range at(document, "components", "schemas") {
		require.True(t, described(document, schema.(object)), "components.schemas.%s needs a description", name)
	}
	for _, kind := range []string{"parameters", "headers", "responses", "securitySchemes"} {
		for name, part := range at(document, "components", kind) {
			require.True(t, described(document, part.(object)), "components.%s.%s needs a description", kind, name)
		}
	}
	eachProperty(document, "", func(path string, property object) {
		conditional := strings.Contains(path, "/if") || strings.Contains(path, "/then")
		require.True(t, conditional || described(document, property), "%s needs a description, or a $ref to a schema that has one", path)
	})
	for path, item := range at(document, "paths") {
		for method, call := range item.(object) {
			parameters, ok := call.([]any)
			if !ok {
				parameters, _ = call.(object)["parameters"].([]any)
			}
			for _, p := range parameters {
				require.True(t, described(document, p.(object)), "%s %s: the parameter %v needs a description", method, path, p)
			}
		}
	}
}

// verbs are the words that a summary may begin with. Add one where a new call needs it.
var verbs = strings.Fields(`Accept Add Adopt Answer Approve Ask Cancel Change Check Clear Compare Confirm Create Delete Discard Download End Export Finish Follow Get Import
	Invite Leave List Log Publish Rate Receive Refresh Register Reindex Remove Rename Report Restore Retry Revoke Roll Rotate Search Send Set Take
	Test Try Update Upload Verify`)

func TestEverySummaryIsAVerbPhrase(t *testing.T) {
	t.Parallel()
	document := decoded(t, published(t))
	for _, kind := range []string{"paths", "webhooks"} {
		for path, item := range at(document, kind) {
			for method, call := range item.(object) {
				operation, ok := call.(object)
				if !ok {
					continue // parameters of the path
				}
				summary, _ := operation["summary"].(string)
				first, _, _ := strings.Cut(summary, " ")
				require.Contains(t, verbs, strings.TrimSuffix(first, ","), "%s %s: the summary %q must begin with a verb", method, path, summary)
				require.False(t, strings.HasSuffix(summary, "."), "%s %s: the summary %q is no sentence", method, path, summary)
				require.LessOrEqual(t, len(summary), 90, "%s %s: the summary %q is long; the rest belongs to the description", method, path, summary)
			}
		}
	}
}

// The reference begins with what most readers look for.
func TestBotsAndConversationsComeBeforeAccounts(t *testing.T) {
	t.Parallel()
	tags, _ := published(t).Tags()
	require.Equal(t, []string{"bots", "conversations"}, tags[:2])
	require.Less(t, slices.Index(tags, "webhooks"), slices.Index(tags, "auth"))
	require.Less(t, slices.Index(tags, "webhooks"), slices.Index(tags, "people"))
}

// openapi-typescript makes a field with a default a required one, also in requests. It does not look behind a $ref.
func TestFieldsWithADefaultAreOptionalInGeneratedClients(t *testing.T) {
	t.Parallel()
	document := decoded(t, published(t))
	eachProperty(document, "", func(path string, property object) {
		require.NotContains(t, property, "default", "%s: give the field a schema of its own in components and refer to it", path)
	})
	for name, schema := range at(document, "components", "schemas") {
		for _, required := range list(schema, "required") {
			property := at(schema.(object), "properties", required.(string))
			ref, _ := property["$ref"].(string)
			target := at(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			_, answered := schema.(object)["additionalProperties"]
			require.False(t, answered && ref != "" && target["default"] != nil, "%s.%s has a default and is required", name, required)
		}
	}
}

func list(schema any, key string) []any {
	items, _ := schema.(object)[key].([]any)
	return items
}

// An object without properties is a free one. Generators take one that does not say so for an object without fields.
func TestFreeObjectsSayThatTheyTakeAnything(t *testing.T) {
	t.Parallel()
	document := decoded(t, published(t))
	check := func(path string, schema object) {
		types, _ := schema["type"].([]any)
		if schema["type"] == "object" || slices.Contains(types, any("object")) {
			_, hasProperties := schema["properties"]
			_, says := schema["additionalProperties"]
			require.True(t, hasProperties || says, "%s: say additionalProperties: true", path)
		}
	}
	for name, schema := range at(document, "components", "schemas") {
		check(name, schema.(object))
	}
	eachProperty(document, "", check)
}

// The details of an error are a union by its code, so each code belongs to exactly one form.
func TestEveryErrorCodeHasOneFormOfDetails(t *testing.T) {
	t.Parallel()
	document := decoded(t, published(t))
	schemas := at(document, "components", "schemas")
	forms := map[string]string{}
	for _, form := range at(schemas, "Error")["oneOf"].([]any) {
		name := strings.TrimPrefix(form.(object)["$ref"].(string), "#/components/schemas/")
		for _, code := range at(schemas, name, "properties", "code")["enum"].([]any) {
			require.NotContains(t, forms, code, "%s is in two forms of Error", code)
			forms[code.(string)] = name
		}
	}
	for _, code := range at(schemas, "Error", "properties", "code")["enum"].([]any) {
		require.Contains(t, forms, code, "add %s to OtherFailure, or to the form of Error that has its details", code)
		delete(forms, code.(string))
	}
	require.Empty(t, slices.Collect(maps.Keys(forms)), "these codes are not in Error.code")
}

// Words of the first version that readers do not know, and verbs in a passive that hides who acts.
var privateWords = regexp.MustCompile(`(?i)\b(told|doors?|walls?|patience|strangers?|answered nothing)\b`)

func TestTheDocumentUsesPlainWords(t *testing.T) {
	t.Parallel()
	eachText(decoded(t, published(t)), "", func(path, text string) {
		require.NotRegexp(t, privateWords, text, path)
		first := strings.TrimPrefix(text, "**Permission:** ")
		require.NotRegexp(t, `^[a-z]`, first, "%s must begin like a sentence", path)
	})
}

// eachText calls visit for every summary and description in node.
func eachText(node any, path string, visit func(path, text string)) {
	switch n := node.(type) {
	case object:
		for key, child := range n {
			if text, ok := child.(string); ok && (key == "summary" || key == "description") {
				visit(path+"/"+key, text)
			}
			if key != "example" && key != "examples" {
				eachText(child, path+"/"+key, visit)
			}
		}
	case []any:
		for i, child := range n {
			eachText(child, path+"/"+strconv.Itoa(i), visit)
		}
	}
}
