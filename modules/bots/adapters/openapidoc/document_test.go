package openapidoc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/openapidoc"
	"github.com/parley/parley/modules/bots/adapters/schemas"
	"github.com/parley/parley/modules/bots/domain"
)

const shop = `
openapi: 3.0.3
servers: [{url: 'https://{host}/api/', variables: {host: {default: shop.example.com}}}]
paths:
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}]
    get:
      operationId: getOrder
      summary: Get an order
      description: With its lines.
      parameters:
      - {name: expand, in: query, description: What is shown too., schema: {type: array, items: {type: string, enum: [lines]}}}
      - {name: X-Trace, in: header, schema: {type: string}}
      responses: {200: {description: ok}}
    put:
      operationId: change order!
      requestBody: {$ref: '#/components/requestBodies/Order'}
      responses: {200: {description: ok}}
    delete:
      operationId: deleteOrder
      parameters: [{name: X-Reason, in: header, required: true, schema: {type: string}}]
    post:
      operationId: tree
      requestBody: {content: {application/json: {schema: {type: object, properties: {node: {$ref: '#/components/schemas/Node'}}}}}}
  /uploads:
    post: {operationId: upload, requestBody: {content: {multipart/form-data: {schema: {type: object}}}}}
    get: {summary: List}
  /elsewhere:
    get: {operationId: elsewhere, parameters: [{$ref: 'https://example.com/x.yaml#/p'}]}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string, pattern: '^(?=a)', example: x}}
  requestBodies:
    Order:
      required: true
      content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
  schemas:
    Order:
      type: object
      required: [address, number]
      properties:
        number: {type: integer, readOnly: true}
        address: {$ref: '#/components/schemas/Address'}
        example: {type: string, nullable: true, enum: [a]}
        weight: {type: number, minimum: 0, exclusiveMinimum: true}
    Address: {type: object, properties: {city: {type: string, xml: {name: x}}}}
    Node: {type: object, properties: {children: {type: array, items: {$ref: '#/components/schemas/Node'}}}}
`

func TestOperationsBecomeTools(t *testing.T) {
	t.Parallel()
	list, err := openapidoc.Documents{}.Read([]byte(shop), "", "shop_")
	require.NoError(t, err)
	tools := map[string]domain.ImportedTool{}
	for _, tool := range list {
		tools[tool.Name] = tool
	}
	require.Len(t, tools, 7)

	get := tools["shop_getOrder"]
	require.Empty(t, get.Problem)
	require.Equal(t, []any{"getOrder", "Get an order\n\nWith its lines.", "GET", "https://shop.example.com/api/orders/{id}", domain.Reads},
		[]any{get.OperationID, *get.Definition.Description, *get.Definition.Method, *get.Definition.URL, *get.Definition.Effect})
	require.JSONEq(t, `{"type": "object", "additionalProperties": false, "required": ["id"], "properties": {"id": {"type": "string"},
		"expand": {"type": "array", "items": {"type": "string", "enum": ["lines"]}, "description": "What is shown too."}}}`, string(get.Definition.Schema))

	put := tools["shop_change_order"]
	require.Empty(t, put.Problem)
	require.Equal(t, domain.Writes, *put.Definition.Effect)
	require.JSONEq(t, `{"type": "object", "additionalProperties": false, "required": ["id", "address"], "properties": {"id": {"type": "string"},
		"address": {"$ref": "#/$defs/Address"}, "example": {"type": ["string", "null"], "enum": ["a", null]}, "weight": {"type": "number", "exclusiveMinimum": 0}},
		"$defs": {"Address": {"type": "object", "properties": {"city": {"type": "string"}}}}}`, string(put.Definition.Schema))
	for _, good := range []domain.ImportedTool{get, put} {
		require.NoError(t, schemas.Schemas{}.Check(good.Definition.Schema))
	}

	require.Contains(t, tools["shop_deleteOrder"].Problem, "X-Reason")
	require.Contains(t, tools["shop_upload"].Problem, "application/json")
	require.Contains(t, tools["shop_elsewhere"].Problem, "not in the document")
	require.Equal(t, "get_uploads", tools["shop_get_uploads"].OperationID)
	require.ErrorContains(t, schemas.Schemas{}.Check(tools["shop_tree"].Definition.Schema), "leads back")
}

func TestADocumentThatIsNoneIsRefusedInTime(t *testing.T) {
	t.Parallel()
	bomb := "openapi: 3.1.0\na0: &a0 [x]\n"
	for n := range 30 {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", n+1, n+1, n, n, n)
	}
	for name, test := range map[string]struct{ document, base, field string }{
		"no YAML":               {"{", "", "document"},
		"a list":                {"[]", "", "document"},
		"Swagger 2":             {"swagger: '2.0'", "", "document"},
		"no server":             {"openapi: 3.1.0", "", "base_url"},
		"a relative server":     {"openapi: 3.1.0\nservers: [{url: /api}]", "", "base_url"},
		"aliases that multiply": {bomb, "https://example.com", "document"},
		"too many operations":   {"openapi: 3.1.0\npaths:\n" + strings.Repeat("  /%d: {get: {}}\n", 501), "https://example.com", "document"},
	} {
		if strings.Contains(test.document, "%d") {
			numbers := make([]any, 501)
			for n := range numbers {
				numbers[n] = n
			}
			test.document = fmt.Sprintf(test.document, numbers...)
		}
		begun := time.Now()
		_, err := openapidoc.Documents{}.Read([]byte(test.document), test.base, "")
		var rule *domain.RuleError
		require.ErrorAs(t, err, &rule, name)
		require.Equal(t, test.field, rule.Field, name)
		require.Less(t, time.Since(begun), 10*time.Second, name)
	}
}
