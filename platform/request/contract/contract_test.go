package contract_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/contract"
	"github.com/parley/parley/platform/request/fail"
)

func TestABodyIsReadStrictly(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	const malformed, invalid = "BAD_REQUEST", "VALIDATION_ERROR"
	tests := map[string]struct{ body, code string }{
		"an object":            {`{"a": [1, "x", null, true, 1.5]}`, ""},
		"white space around":   {" \n{}\t ", ""},
		"a surrogate pair":     {`{"a":"\ud83d\ude00"}`, ""},
		"escaped NUL, escaped": {`{"a":"\\u0000"}`, ""},
		"64 levels":            {nest(64), ""},
		"65 levels":            {nest(65), malformed},
		"65 levels of objects": {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), malformed},
		"very many levels":     {nest(100_000), malformed},
		"unclosed levels":      {strings.Repeat("[", 100_000), malformed},
		"empty":                {"", malformed},
		"blank":                {"  ", malformed},
		"null":                 {" null ", malformed},
		"trailing data":        {`{} {}`, malformed},
		"trailing comma":       {`{"a":1,}`, malformed},
		"a comment":            {`{}//`, malformed},
		"byte order mark":      {"\ufeff{}", malformed},
		"single quotes":        {`{'a':1}`, malformed},
		"NaN":                  {`{"a":NaN}`, malformed},
		"leading zero":         {`{"a":01}`, malformed},
		"cut":                  {`{"a":`, malformed},
		"duplicate key":        {`{"a":1,"a":1}`, malformed},
		"duplicate, escaped":   {`{"a":1,"\u0061":1}`, malformed},
		"duplicate, deep":      {`{"x":[{"a":1,"a":2}]}`, malformed},
		"other letter case":    {`{"a":1,"A":1}`, ""},
		"invalid UTF-8":        {"{\"a\":\"\xff\"}", malformed},
		"overlong UTF-8":       {"{\"a\":\"\xc0\xaf\"}", malformed},
		"invalid UTF-8 in key": {"{\"\xff\":1}", malformed},
		"lone high surrogate":  {`{"a":"\ud83d"}`, malformed},
		"lone low surrogate":   {`{"a":"\ude00"}`, malformed},
		"raw control":          {"{\"a\":\"\n\"}", malformed},
		"number too large":     {`{"a":1e400}`, invalid},
		"NUL":                  {`{"a":"x\u0000"}`, invalid},
		"NUL deep":             {`{"a":[{"b":"\u0000"}]}`, invalid},
		"NUL in a key":         {`{"a\u0000":1}`, invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := contract.ParseJSON([]byte(test.body))
			if test.code == "" {
				require.NoError(t, err)
				require.NotNil(t, value)
				return
			}
			require.Equal(t, test.code, fail.From(err).Code, "%v", err)
		})
	}
	_, err := contract.ParseJSON([]byte(`{"a":[{"b":"\u0000"}]}`))
	require.Equal(t, "a.0.b", fail.From(err).Details["errors"].([]fail.Field)[0].Field)
	_, err = contract.ParseJSON([]byte(`{"x":{"twice":1,"twice":2}}`))
	require.Contains(t, fail.From(err).Message, "twice")
}

// What is accepted means to us what it means to encoding/json, which the handlers read it with.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,-0,1e3,"x",null]}`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, "\xff", `[[[]]]`, `1e400`, ``, `null`, `{"a":"\u0000"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value, err := contract.ParseJSON(body)
		if err != nil {
			require.NotEqual(t, "INTERNAL_ERROR", fail.From(err).Code)
			return
		}
		var other any
		require.NoError(t, json.Unmarshal(body, &other), "accepted what encoding/json refuses")
		require.Equal(t, other, value)
	})
}

const document = `{
  "openapi": "3.1.0", "security": [{"bearer": []}],
  "components": {"schemas": {"Value": {"oneOf": [{"type": "string", "maxLength": 2}, {"type": "number"}, {"type": "boolean"}]}}, "parameters": {"Limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}}},
  "paths": {
    "/things/{id}": {
      "parameters": [{"name": "id", "in": "path", "schema": {"type": "string", "format": "uuid"}}],
      "get": {"operationId": "get", "parameters": [{"$ref": "#/components/parameters/Limit"}, {"name": "word", "in": "query", "schema": {"type": "string"}}, {"name": "sure", "in": "query", "schema": {"type": "boolean"}}, {"name": "X-Trace-Id", "in": "header", "schema": {"type": "string"}}]},
      "put": {"operationId": "put", "requestBody": {"required": true, "content": {"application/json": {"schema": {
        "type": "object", "additionalProperties": false, "required": ["name", "at"], "properties": {
          "name": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "\\S"},
          "at": {"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": ["integer", "null"], "minimum": 2}}},
          "color": {"enum": ["red", "blue"]}, "shade": {"enum": ["dark", null, "light"]}, "mail": {"type": "string", "format": "shout"},
          "filter": {"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"oneOf": [
            {"$ref": "#/components/schemas/Value"}, {"type": "array", "minItems": 1, "maxItems": 2, "items": {"$ref": "#/components/schemas/Value"}}]}}}}}}}}
    },
    "/open": {"get": {"operationId": "open", "security": []}}
  }
}`

func loaded(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Load([]byte(document), contract.Format{Name: "shout", Check: func(s string) error {
		if s != strings.ToUpper(s) {
			return fail.New(fail.Invalid, "X", "be loud")
		}
		return nil
	}})
	require.NoError(t, err)
	return c
}

func TestANumberIsBoundedAsItIsWrittenOut(t *testing.T) {
	t.Parallel()
	signed, err := contract.Load([]byte(`{"openapi":"3.1.0","paths":{"/x":{"post":{"operationId":"X","x-signed-body":true,"requestBody":{"content":
		{"application/json":{"schema":{"type":"object"}}}}}}}}`))
	require.NoError(t, err)
	nines := func(n int) string { return strings.Repeat("9", n) }
	for number, want := range map[string]struct{ plain, signed bool }{
		"0": {true, true}, "-0": {true, true}, "-0.0": {true, true}, "1.5E+3": {true, true}, "1e99": {true, true}, "-1e99": {true, true},
		"1e-99": {true, true}, nines(100): {true, true}, "-" + nines(100): {true, true}, "0." + nines(99): {true, true},
		nines(50) + "." + nines(50): {true, true}, nines(40) + "e60": {true, true}, "0." + nines(90) + "e90": {true, true},
		"1e100": {false, true}, "1e-100": {false, true}, "1E308": {false, true}, "1.7976931348623157e+308": {false, true},
		"5e-324": {false, true}, "1e-400": {false, true}, "0e400": {false, true}, nines(101): {false, true},
		nines(50) + "." + nines(51): {false, true}, nines(41) + "e60": {false, true}, "0." + nines(100): {false, true}, nines(300): {false, true},
		"1E400": {}, "1e-401": {}, "0e401": {}, "1e999999999999999999999": {}, "1e-999999999999999999999": {}, nines(401): {}, "-1e309": {},
	} {
		body := []byte(`{"text":"1e999 \" \\","a":[{"n":` + number + `}]}`)
		value, err := contract.ParseJSON(body)
		if want.plain {
			require.NoError(t, err, number)
			require.NotNil(t, value)
		} else {
			wrong := fail.WrongFields(err)
			require.Len(t, wrong, 1, number)
			require.Equal(t, []string{"a.0.n", "OUT_OF_RANGE"}, []string{wrong[0].Field, wrong[0].Code}, number)
		}
		err = signed.Find("POST", "/x").CheckBody(body)
		require.Equal(t, want.signed, err == nil, "%s: %v", number, err)
	}
}

func TestACallIsFoundByItsRoute(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	require.Equal(t, "get", c.Find("GET", "/things/:id").ID)
	require.False(t, c.Find("GET", "/things/:id").Public)
	require.True(t, c.Find("GET", "/open").Public)
	require.Nil(t, c.Find("POST", "/things/:id"))
	require.Nil(t, c.Find("GET", "/nothing"))
	require.Nil(t, c.Find("GET", ""))
	_, err := contract.Load([]byte("no JSON"))
	require.Error(t, err)
}

func TestEveryWrongFieldIsToldWithItsCode(t *testing.T) {
	t.Parallel()
	body := loaded(t).Find("PUT", "/things/:id").Body
	require.True(t, body.Required)
	tests := map[string]map[string]string{ // body → field → code
		`{"name":"x","at":{"n":2}}`:              nil,
		`{"name":"üüü","at":{"n":null}}`:         nil,
		`{}`:                                     {"name": "REQUIRED", "at": "REQUIRED"},
		`[]`:                                     {"body": "WRONG_TYPE"},
		`{"name":1,"at":{}}`:                     {"name": "WRONG_TYPE", "at.n": "REQUIRED"},
		`{"name":"xxxx","at":{"n":1}}`:           {"name": "TOO_LONG", "at.n": "TOO_SMALL"},
		`{"name":"","at":{"n":2.5}}`:             {"name": "TOO_SHORT", "at.n": "WRONG_TYPE"},
		`{"name":"  ","at":{"n":2,"m":1},"x":1}`: {"name": "BLANK", "at.m": "UNKNOWN_FIELD", "x": "UNKNOWN_FIELD"},
		`{"name":"x","at":{"n":2},"color":"green","mail":"low"}`: {"color": "NOT_ALLOWED", "mail": "INVALID_FORMAT"},
	}
	for text, want := range tests {
		value, err := contract.ParseJSON([]byte(text))
		require.NoError(t, err)
		got := map[string]string{}
		for _, f := range body.Check(value) {
			require.NotEmpty(t, f.Message)
			if f.Code != "BLANK" || got[f.Field] == "" { // "" is also blank
				got[f.Field] = f.Code
			}
		}
		if want == nil {
			want = map[string]string{}
		}
		if text == `{"name":"","at":{"n":2.5}}` {
			require.Contains(t, []string{"TOO_SHORT", "BLANK"}, got["name"])
			got["name"] = want["name"]
		}
		require.Equal(t, want, got, text)
	}
}

func TestAChoiceIsToldWithoutWhatOnlyGoCallsNull(t *testing.T) {
	t.Parallel()
	body := loaded(t).Find("PUT", "/things/:id").Body
	for field, want := range map[string]string{"color": "must be one of [red blue]", "shade": "must be null or one of [dark light]"} {
		value, err := contract.ParseJSON([]byte(`{"name":"x","at":{"n":2},"` + field + `":"green"}`))
		require.NoError(t, err)
		require.Equal(t, []fail.Field{{Field: field, Code: "NOT_ALLOWED", Message: want}}, body.Check(value))
	}
}

func TestAValueOfSeveralFormsIsToldWhatItMayBe(t *testing.T) {
	t.Parallel()
	body := loaded(t).Find("PUT", "/things/:id").Body
	for filter, want := range map[string][]fail.Field{
		`{"a":"x","b":[1,true]}`:  nil,
		`{}`:                      {{Field: "filter", Code: "TOO_SHORT", Message: "must have at least one field"}},
		`{"a":1,"b":1,"c":1}`:     {{Field: "filter", Code: "TOO_LONG", Message: "must have at most 2 keys"}},
		`{"a":null}`:              {{Field: "filter.a", Code: "WRONG_TYPE", Message: "must be an array or a boolean or a number or a string"}},
		`{"a":[]}`:                {{Field: "filter.a", Code: "TOO_SHORT", Message: "must have at least one item"}},
		`{"a":[1,2,3]}`:           {{Field: "filter.a", Code: "TOO_LONG", Message: "must have at most 2 items"}},
		`{"a":"long","b":[null]}`: {{Field: "filter.a", Code: "TOO_LONG", Message: "must have at most 2 characters"}, {Field: "filter.b.0", Code: "WRONG_TYPE", Message: "must be a boolean or a number or a string"}},
	} {
		value, err := contract.ParseJSON([]byte(`{"name":"x","at":{"n":2},"filter":` + filter + `}`))
		require.NoError(t, err)
		require.Equal(t, want, body.Check(value), filter)
	}
}

func TestParametersAreHeldToTheDocument(t *testing.T) {
	t.Parallel()
	op := loaded(t).Find("GET", "/things/:id")
	const good = "0191b1a8-0000-7000-8000-000000000000"
	tests := map[string]struct {
		id, query string
		want      map[string]string
	}{
		"right":         {good, "limit=100", map[string]string{}},
		"left out":      {good, "", map[string]string{}},
		"too large":     {good, "limit=101", map[string]string{"limit": "TOO_LARGE"}},
		"too small":     {good, "limit=0", map[string]string{"limit": "TOO_SMALL"}},
		"no number":     {good, "limit=ten", map[string]string{"limit": "WRONG_TYPE"}},
		"empty":         {good, "limit=", map[string]string{"limit": "WRONG_TYPE"}},
		"huge":          {good, "limit=99999999999999999999", map[string]string{"limit": "WRONG_TYPE"}},
		"twice":         {good, "limit=1&limit=1", map[string]string{"limit": "REPEATED"}},
		"no UUID":       {"1", "limit=ten", map[string]string{"id": "INVALID_FORMAT", "limit": "WRONG_TYPE"}},
		"NUL":           {good, "word=a%00b", map[string]string{"word": "INVALID_FORMAT"}},
		"yes":           {good, "sure=true", map[string]string{}},
		"no boolean":    {good, "sure=1", map[string]string{"sure": "WRONG_TYPE"}},
		"no UTF-8":      {good, "word=%ff", map[string]string{"word": "INVALID_FORMAT"}},
		"UUID and more": {good + "0", "", map[string]string{"id": "INVALID_FORMAT"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query, err := url.ParseQuery(test.query)
			require.NoError(t, err)
			for range 2 { // what was right is remembered
				got := map[string]string{}
				for _, f := range op.Parameters(func(string) string { return test.id }, query) {
					got[f.Field] = f.Code
				}
				require.Equal(t, test.want, got)
			}
		})
	}
}

// Each of these bodies is some 60 kB; a full list of its errors would have hundreds of megabytes.
func TestWhatIsWrongWithABodyIsNotMuchLargerThanTheBody(t *testing.T) {
	t.Parallel()
	deep := func(value string) []byte {
		return []byte(`{"` + strings.Repeat("k", 40_000) + `":[` + strings.Repeat(value+",", 4000) + "0]}")
	}
	c, err := contract.Load([]byte(`{"openapi":"3.1.0","paths":{"/x":{"post":{"operationId":"X","requestBody":{"content":{"application/json":
		{"schema":{"type":"object","additionalProperties":false}}}}}}}}`))
	require.NoError(t, err)
	unknown := map[string]any{strings.Repeat("ü", 40_000): 1}
	for i := range 4000 {
		unknown[strconv.Itoa(i)] = 1
	}
	wrongOf := func(body []byte) []fail.Field {
		_, err := contract.ParseJSON(body)
		return fail.WrongFields(err)
	}
	for name, wrong := range map[string][]fail.Field{
		"strange numbers": wrongOf(deep("1e999")),
		"NULs":            wrongOf(deep(`"\u0000"`)),
		"unknown fields":  c.Find("POST", "/x").Body.Check(unknown),
	} {
		require.Len(t, wrong, 100, name)
		for _, w := range wrong {
			require.LessOrEqual(t, len(w.Field), 210, name)
			require.True(t, utf8.ValidString(w.Field), name)
		}
	}
	_, err = contract.ParseJSON([]byte(`{"` + strings.Repeat("k", 40_000) + `":1,"` + strings.Repeat("k", 40_000) + `":1}`))
	require.Less(t, len(fail.From(err).Message), 500, "a key that is there twice")

	start := time.Now()
	_, err = contract.ParseJSON([]byte(`{"` + strings.Repeat("k", 400_000) + `":[` + strings.Repeat(`"",`, 100_000) + `""]}`))
	require.NoError(t, err)
	require.Less(t, time.Since(start), 5*time.Second, "a long key with many values below it")
}

func TestAParameterThatPostgresCannotHoldIsAWrongField(t *testing.T) {
	t.Parallel()
	c, err := contract.Load([]byte(`{"openapi":"3.1.0","paths":{"/x":{"get":{"operationId":"X","parameters":[
		{"name":"action","in":"query","schema":{"type":"string"}}]}}}}`))
	require.NoError(t, err)
	for text, wrong := range map[string]int{"bot.create": 0, "ü": 0, "a\x00": 1, "\xff": 1} {
		require.Len(t, c.Find("GET", "/x").Parameters(nil, url.Values{"action": {text}}), wrong, "%q", text)
	}
}
