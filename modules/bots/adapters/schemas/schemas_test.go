package schemas_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/schemas"
	"github.com/parley/parley/modules/bots/domain"
)

// chain is a schema whose $refs double what is checked at every step.
func chain(steps int) string {
	var defs []string
	for n := range steps {
		defs = append(defs, fmt.Sprintf(`"d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, n, n+1, n+1))
	}
	defs = append(defs, fmt.Sprintf(`"d%d": {"type": "string"}`, steps))
	return `{"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {` + strings.Join(defs, ", ") + `}}`
}

func TestASchemaIsOneOf202012ThatIsQuicklyChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ schema, wrong string }{
		"an order":                            {`{"type": "object", "properties": {"id": {"type": "string", "pattern": "^[0-9]{1,12}$"}}, "required": ["id"], "additionalProperties": false}`, ""},
		"a part":                              {`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "integer"}}}`, ""},
		"a property by the name of a keyword": {`{"type": "object", "properties": {"$id": {"type": "string"}, "pattern": {"type": "string"}}}`, ""},
		"a short chain":                       {chain(5), ""},
		"no object":                           {`[]`, "type: object"},
		"no type":                             {`{}`, "type: object"},
		"another type":                        {`{"type": "string"}`, "type: object"},
		"a wrong keyword":                     {`{"type": "object", "properties": {"a": {"type": "strin"}}}`, "/properties/a/type"},
		"another draft":                       {`{"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}`, "2020-12"},
		"a remote part":                       {`{"type": "object", "properties": {"a": {"$ref": "https://example.com/schema"}}}`, "no $ref but"},
		"a file":                              {`{"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}`, "no $ref but"},
		"a part that is missing":              {`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}}`, "no $ref but"},
		"an anchor":                           {`{"type": "object", "$defs": {"x": {"$anchor": "x"}}}`, "$anchor"},
		"a dynamic part":                      {`{"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}`, "$dynamicRef"},
		"another base":                        {`{"type": "object", "$id": "file:///etc/passwd"}`, "$id"},
		"itself":                              {`{"type": "object", "properties": {"a": {"$ref": "#"}}}`, "leads back"},
		"a circle":                            {`{"type": "object", "$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}`, "leads back"},
		"a bomb of parts":                     {chain(40), "at most 3000 values"},
		"many values":                         {`{"type": "object", "enum": [` + strings.Repeat("1,", 3000) + `1]}`, "at most 3000 values"},
		"deep":                                {`{"type": "object", "not": ` + strings.Repeat(`{"not": `, 40) + `{}` + strings.Repeat("}", 41), "nested"},
		"no pattern":                          {`{"type": "object", "properties": {"a": {"pattern": "("}}}`, "regular expression"},
		"a pattern of others":                 {`{"type": "object", "patternProperties": {"(?=a)": {}}}`, "regular expression"},
		"a bomb of a pattern":                 {`{"type": "object", "properties": {"a": {"pattern": "(((a{10}){10}){10}){9}"}, "b": {"pattern": "((((a|b){10}){10}){9})"}, "c": {"pattern": "((((a|b){10}){10}){9})"}}}`, "regular expression"},
		"a long pattern":                      {`{"type": "object", "properties": {"a": {"pattern": "` + strings.Repeat("a", 1001) + `"}}}`, "regular expression"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			err := schemas.Schemas{}.Check(json.RawMessage(test.schema))
			require.Less(t, time.Since(begun), 10*time.Second)
			if test.wrong == "" {
				require.NoError(t, err)
				return
			}
			var rule *domain.RuleError
			require.ErrorAs(t, err, &rule)
			require.Equal(t, "schema", rule.Field)
			require.Contains(t, rule.Rule, test.wrong)
			require.LessOrEqual(t, len(rule.Rule), 520)
		})
	}
}

func TestArgumentsAreCheckedByTheSchema(t *testing.T) {
	t.Parallel()
	const schema = `{"type": "object", "properties": {"id": {"type": "string", "pattern": "^[0-9]+$"}, "n": {"type": "number", "multipleOf": 0.5}, "any": {}}, "required": ["id"], "additionalProperties": false}`
	for name, test := range map[string]struct{ arguments, wrong string }{
		"good":           {`{"id": "1", "n": 1.5}`, ""},
		"none":           {``, "/: "},
		"a text":         {`"call it"`, "/: "},
		"no JSON":        {`{"id": `, "must be a JSON object"},
		"two":            {`{"id": "1"} {}`, "must be a JSON object"},
		"a wrong one":    {`{"id": "a"}`, "/id: "},
		"one too many":   {`{"id": "1", "x": 1}`, "'x'"},
		"a huge number":  {`{"id": "1", "n": 1e1000000}`, "too long"},
		"a long number":  {`{"id": "1", "n": ` + strings.Repeat("9", 1000) + `}`, "too long"},
		"a deep value":   {`{"id": "1", "any": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested"},
		"too many bytes": {`{"id": "1", "any": "` + strings.Repeat("x", 64<<10) + `"}`, "65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problem, err := schemas.Schemas{}.Validate(json.RawMessage(schema), json.RawMessage(test.arguments))
			require.NoError(t, err)
			if test.wrong == "" {
				require.Empty(t, problem)
				return
			}
			require.Contains(t, problem, test.wrong)
		})
	}
	_, err := schemas.Schemas{}.Validate(json.RawMessage(chain(40)), json.RawMessage(`{"x": "1"}`))
	require.Error(t, err, "a schema that was imported without a check")
}

func TestTheWorstSchemaAndArgumentsAreCheckedInSeconds(t *testing.T) {
	t.Parallel()
	schema := json.RawMessage(`{"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true, "items": {"anyOf": [` +
		strings.TrimSuffix(strings.Repeat(`{"pattern": "^(a|b|[ab]|.){0,150}c$"},`, 4), ",") + `]}}, "b": {"pattern": "^(a|aa)+$"}}}`)
	require.NoError(t, schemas.Schemas{}.Check(schema))
	arguments := json.RawMessage(`{"b": "` + strings.Repeat("a", 30_000) + `!", "a": [` + strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("a", 100)+`",`, 300), ",") + `]}`)
	begun := time.Now()
	problem, err := schemas.Schemas{}.Validate(schema, arguments)
	require.NoError(t, err)
	require.NotEmpty(t, problem)
	require.Less(t, len(problem), 5000)
	require.Less(t, time.Since(begun), 20*time.Second)
}
