package docs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/request/docs"
)

func published(t *testing.T) docs.Document {
	t.Helper()
	d, err := docs.Publish(api.YAML, api.Examples)
	require.NoError(t, err)
	return d
}

// decoded is a document as maps and lists.
func decoded(t *testing.T, d docs.Document) (document map[string]any) {
	t.Helper()
	raw, err := d.JSON()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &document))
	return document
}

// Nothing of the written document is lost but the keys of our generator, and only descriptions and examples are added.
func TestThePublishedDocumentSaysWhatTheWrittenOneSays(t *testing.T) {
	t.Parallel()
	raw, err := api.JSON()
	require.NoError(t, err)
	var written map[string]any
	require.NoError(t, json.Unmarshal(raw, &written))
	requireWithin(t, "", written, decoded(t, published(t)))
}

func requireWithin(t *testing.T, at string, written, public any) {
	t.Helper()
	switch w := written.(type) {
	case map[string]any:
		p, ok := public.(map[string]any)
		require.True(t, ok, at)
		for key, value := range w {
			if strings.HasPrefix(key, "x-go-") {
				require.NotContains(t, p, key, at)
				continue
			}
			require.Contains(t, p, key, at)
			requireWithin(t, at+"/"+key, value, p[key])
		}
		for key := range p {
			if key != "example" && key != "description" {
				require.Contains(t, w, key, "%s was added", at)
			}
		}
	case []any:
		p, ok := public.([]any)
		require.True(t, ok, at)
		require.Len(t, p, len(w), at)
		for i, value := range w {
			requireWithin(t, at, value, p[i])
		}
	case string:
		require.IsType(t, "", public, at)
		require.True(t, strings.HasSuffix(public.(string), w), "%s: %q", at, public)
	default:
		require.Equal(t, written, public, at)
	}
}

func TestThePublishedDocumentShowsThePermissionOfEachCall(t *testing.T) {
	t.Parallel()
	permitted := 0
	for _, op := range published(t).Operations() {
		if op.Permission != "" {
			permitted++
			require.Contains(t, op.Description, "**Permission:** ", op.ID)
			require.True(t, op.Permission == "none" || strings.Contains(op.Description, "`"+op.Permission+"`"), op.ID)
		}
	}
	require.Greater(t, permitted, 80)
}

// Every JSON answer, of success and of each error, has an example, and every example is one that its schema allows.
func TestEveryAnswerHasAnExampleThatItsSchemaAllows(t *testing.T) {
	t.Parallel()
	raw, err := published(t).YAML()
	require.NoError(t, err)
	document, err := openapi3.NewLoader().LoadFromData(raw)
	require.NoError(t, err)
	// Validate would check the examples of shared answers again for each call.
	require.NoError(t, document.Validate(t.Context(), openapi3.DisableExamplesValidation()))
	checked := map[*openapi3.MediaType]bool{} // most error answers are shared by many calls
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody != nil {
				for kind, content := range op.RequestBody.Value.Content {
					if content.Example != nil {
						require.NoError(t, content.Schema.Value.VisitJSON(content.Example, openapi3.EnableJSONSchema2020()), "%s %s: the example of the body as %s", method, path, kind)
					}
				}
			}
			for status, answer := range op.Responses.Map() {
				for kind, content := range answer.Value.Content {
					at := method + " " + path + " " + status + " " + kind
					if kind != "application/json" || checked[content] {
						continue
					}
					checked[content] = true
					examples := []any{content.Example}
					for _, named := range content.Examples {
						examples = append(examples, named.Value.Value)
					}
					if examples[0] == nil {
						examples = examples[1:]
					}
					require.NotEmpty(t, examples, at)
					for _, example := range examples {
						require.NoError(t, content.Schema.Value.VisitJSON(example, openapi3.EnableJSONSchema2020()), at)
					}
				}
			}
		}
	}
}

func TestAnExampleGetsTheRequiredPropertiesThatWereAddedSinceItWasRecorded(t *testing.T) {
	t.Parallel()
	d, err := docs.Publish([]byte(`
paths:
  /bots:
    get:
      operationId: listBots
      responses:
        '200':
          content: {application/json: {schema: {type: object, properties: {items: {type: array, items: {$ref: '#/components/schemas/Bot'}}}}}}
components:
  schemas:
    Bot:
      required: [id, tags, name]
      properties:
        id: {type: string, example: other}
        tags: {type: array, items: {type: string}, example: [support]}
        name: {type: string}
        note: {type: string, example: optional}
`), []byte("listBots: {'200': {items: [{id: '1'}]}}"))
	require.NoError(t, err)
	document := decoded(t, d)
	body := at(document, "paths", "/bots", "get", "responses", "200", "content", "application/json")
	require.Equal(t, object{"items": []any{object{"id": "1", "tags": []any{"support"}}}}, body["example"],
		"what has no example is still missing, and TestEveryAnswerHasAnExampleThatItsSchemaAllows fails")
}

// The document of a tag is complete: it can be validated by itself, and all documents together have every call once.
func TestTheDocumentOfATagHasWhatItsCallsReferTo(t *testing.T) {
	t.Parallel()
	d := published(t)
	tags, _ := d.Tags()
	calls := 0
	for _, tag := range tags {
		part := d.ForTag(tag)
		raw, err := part.JSON()
		require.NoError(t, err)
		document, err := openapi3.NewLoader().LoadFromData(raw)
		require.NoError(t, err, tag)
		require.NoError(t, document.Validate(t.Context(), openapi3.DisableExamplesValidation()), tag)
		require.Less(t, len(raw), 160<<10, "%s is too much for a phone", tag)
		for _, op := range part.Operations() {
			require.Equal(t, tag, op.Tag)
			calls++
		}
	}
	require.Equal(t, len(d.Operations()), calls)
	require.Equal(t, []string{"bots", "conversations"}, tags[:2], "what a reader looks for comes first")
}
