package contract

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func nested(levels int) string {
	return strings.Repeat(`{"settings":`, levels-1) + "{}" + strings.Repeat("}", levels-1)
}

func TestABodyThatIsNotStrictJSONIsRefusedByEveryCall(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	calls := ada.BodyCalls(t)
	for name, body := range map[string]string{
		"cut off":                    `{"name":"a"`,
		"trailing comma":             `{"name":"a",}`,
		"single quotes":              `{'name':'a'}`,
		"invalid UTF-8":              "{\"name\":\"\xff\"}",
		"overlong UTF-8":             "{\"name\":\"\xc0\x80\"}",
		"invalid UTF-8 in a key":     "{\"\xff\":1}",
		"lone high surrogate":        `{"name":"\ud800"}`,
		"lone low surrogate":         `{"name":"\udc00x"}`,
		"duplicate key":              `{"name":"a","name":"b"}`,
		"duplicate key by an escape": `{"name":"a","n\u0061me":"b"}`,
		"duplicate key within":       `{"settings":{"a":1,"a":1}}`,
		"65 levels":                  nested(65),
		"65 levels of arrays":        strings.Repeat("[", 65) + strings.Repeat("]", 65),
		"60,000 levels":              strings.Repeat("[", 60_000), // as many as a public call takes
		"trailing object":            `{} {}`,
		"trailing letter":            `{}x`,
		"null":                       `null`,
		"only spaces":                `   `,
		"byte order mark":            "\ufeff{}",
		"no JSON":                    `name=a`,
		"NaN":                        `{"name":NaN}`,
		"leading zero":               `{"name":01}`,
		"control character":          "{\"name\":\"a\nb\"}",
	} {
		for _, c := range calls {
			a := ada.Call(t, c.Method, c.Path, body)
			require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", c.Name, name)
			harness.RequireCode(t, a, http.StatusBadRequest, "BAD_REQUEST")
		}
	}
	for _, c := range calls {
		if c.Name != "logout" {
			harness.RequireCode(t, ada.Call(t, c.Method, c.Path, ""), http.StatusBadRequest, "BAD_REQUEST")
			harness.RequireCode(t, ada.Call(t, c.Method, c.Path, nil), http.StatusBadRequest, "BAD_REQUEST")
		}
		for _, body := range []string{`[]`, `"x"`, `1`, `true`} {
			harness.RequireWrong(t, ada.Call(t, c.Method, c.Path, body), "body")
		}
	}
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status, "a bad logout has logged out")
	require.Len(t, ada.Get(t, "/v1/bots").Items(), 1, "a bad call has made a bot")
}

func TestNestingOf64LevelsIsTaken(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	deep := fmt.Sprintf(`{"name":"a","settings":{"metadata":%s}}`, nested(62))
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", deep).Status)
	deeper := fmt.Sprintf(`{"name":"a","settings":{"metadata":%s}}`, nested(63))
	harness.RequireCode(t, ada.Post(t, "/v1/bots", deeper), http.StatusBadRequest, "BAD_REQUEST")
}

// What such a call is sent belongs to its fingerprint: what it does not look at must not be there.
func TestACallThatNeedsNothingTakesNoBodyOrAnEmptyOne(t *testing.T) {
	t.Parallel()
	ada, none := harness.Start(t).Register(t), uuid.NewString()
	for _, path := range []string{
		"/v1/dead-letters/" + none + "/retry", "/v1/webhook-subscriptions/" + none + "/ping", "/v1/webhook-deliveries/" + none + "/retry",
		"/v1/conversations/threads/" + none + "/turns/" + none + "/cancel", "/v1/conversations/threads/" + none + "/turns/" + none + "/retry",
	} {
		harness.RequireWrong(t, ada.Post(t, path, `{"all":true}`), "all")
		harness.RequireCode(t, ada.Post(t, path, "null"), http.StatusBadRequest, "BAD_REQUEST")
		for _, body := range []any{nil, "", "{}"} {
			require.Equal(t, http.StatusNotFound, ada.Post(t, path, body).Status, path)
		}
	}
}

func TestABodyThatIsNotDeclaredJSONIsRefusedByEveryCall(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	calls := ada.BodyCalls(t)
	kind := func(v string) []harness.Header { return []harness.Header{{Name: "Content-Type", Value: v}} }
	for name, test := range map[string]struct {
		headers []harness.Header
		body    string // "": the right one
	}{
		"none":             {headers: kind("")},
		"text":             {headers: kind("text/plain")},
		"form":             {headers: kind("application/x-www-form-urlencoded"), body: "name=a"},
		"multipart":        {headers: kind("multipart/form-data; boundary=x"), body: "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\na\r\n--x--"},
		"XML":              {headers: kind("application/xml"), body: "<name>a</name>"},
		"another charset":  {headers: kind("application/json; charset=iso-8859-1")},
		"nearly JSON":      {headers: kind("application/jsonx")},
		"a JSON dialect":   {headers: kind("application/merge-patch+json")},
		"no media type":    {headers: kind("json;;;")},
		"the same twice":   {headers: append(kind("application/json"), kind("application/json")...)},
		"two in one":       {headers: kind("application/json, text/plain")},
		"two of two kinds": {headers: append(kind("application/json"), kind("text/plain")...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range calls {
				var body any = c.Body
				if test.body != "" || c.Name == "logout" {
					body = test.body + " "
				}
				harness.RequireCode(t, ada.Call(t, c.Method, c.Path, body, test.headers...), http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
			}
		})
	}
	for _, good := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
		a := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, kind(good)...)
		require.Equal(t, http.StatusCreated, a.Status, "%s: %s", good, a)
	}
}

func TestABodyOverTheLimitIsRefusedHoweverItIsSent(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	const limit = 1 << 20
	body := func(size int) string {
		frame := `{"name":"a"}`
		return frame[:1] + strings.Repeat(" ", size-len(frame)) + frame[1:]
	}
	require.Len(t, body(limit), limit)
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", body(limit)).Status, "exactly at the limit")
	chunked := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", chunked(body(limit))).Status, "exactly at the limit, chunked")
	for _, c := range ada.BodyCalls(t) {
		limit := limit
		if slices.Contains([]string{"register", "login", "refresh"}, c.Name) { // without a token
			limit = 64 << 10
		}
		for name, b := range map[string]any{"with its length": body(limit + 1), "chunked": chunked(body(limit + 1))} {
			a := ada.Call(t, c.Method, c.Path, b)
			harness.RequireCode(t, a, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
			require.EqualValues(t, limit, a.At("details.limit_bytes"), "%s %s", c.Name, name)
		}
	}
}

// unguessable gives n letters that are near one, in no order that can be guessed.
func unguessable(letter string, n int) string {
	first, _ := utf8.DecodeRuneInString(letter)
	text := make([]rune, n)
	for i := range text {
		text[i] = first - rune((i*i*7+i*11)%23)
	}
	return string(text)
}

// TestEveryLengthOfTheContractHoldsAtItsEdge counts characters, not bytes and not UTF-16 units.
func TestEveryLengthOfTheContractHoldsAtItsEdge(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	calls := map[string]harness.BodyCall{}
	for _, c := range ada.BodyCalls(t) {
		calls[c.Name] = c
	}
	for _, test := range []struct {
		call, field string
		least, most int // most 0: not looked at
	}{
		{"create bot", "name", 1, 200},
		{"create bot", "instruction", 0, 50_000},
		{"create bot", "settings.model", 1, 200},
		{"create bot", "settings.language", 2, 35},
		{"update instruction", "instruction", 1, 50_000},
		{"update instruction", "settings.model", 1, 200},
		{"take turn", "content", 1, 50_000},
		{"update instruction", "note", 0, 500},
		{"change bot", "name", 1, 200},
		{"roll back", "note", 0, 500},
		{"create thread", "title", 0, 200},
		{"change thread", "title", 0, 200},
		{"register", "password", 8, 128},
		{"register", "workspace_name", 1, 200},
		{"login", "password", 1, 128},
		{"refresh", "refresh_token", 1, 4000},
	} {
		t.Run(test.call+" "+test.field, func(t *testing.T) {
			t.Parallel()
			c := calls[test.call]
			try := func(letter string, n int) harness.Answer {
				body := map[string]any{}
				maps.Copy(body, c.Body)
				if _, ok := body["email"]; ok && test.call == "register" {
					body["email"] = "u" + uuid.NewString() + "@example.com"
				}
				text := strings.Repeat(letter, n)
				if test.field == "password" { // one that is not easy to guess, of letters from the same alphabet
					text = unguessable(letter, n)
				}
				if key, ok := strings.CutPrefix(test.field, "settings."); ok {
					body["settings"] = map[string]any{key: text}
				} else {
					body[test.field] = text
				}
				return ada.Call(t, c.Method, c.Path, body)
			}
			for _, letter := range []string{"я", "👋"} {
				for _, n := range []int{test.least, test.most} {
					a := try(letter, n)
					require.NotEqual(t, http.StatusUnprocessableEntity, a.Status, "%d × %s: %s", n, letter, a)
					require.Less(t, a.Status, 500, a)
				}
				harness.RequireWrong(t, try(letter, test.most+1), test.field)
			}
			if test.least > 0 {
				harness.RequireWrong(t, try("👋", test.least-1), test.field)
			}
		})
	}
}

func TestEveryNumberOfTheSettingsHoldsAtItsEdge(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, test := range []struct {
		key         string
		right       []string
		wrong       []string
		otherwise   string // a value of a wrong type
		alsoRefused string
	}{
		{"temperature", []string{"0", "2", "2.0", "0.5", "2e0"}, []string{"-0.000001", "2.000001", "1e300"}, `"1"`, "null"},
		{"max_output_tokens", []string{"1", "1000000", "1.0"}, []string{"0", "1000001", "-1", "9223372036854775808"}, "1.5", `"1"`},
		{"history_limit", []string{"0", "1000"}, []string{"-1", "1001", "1e18"}, "true", "0.5"},
		{"metadata", []string{"{}", `{"a":[1,null]}`}, []string{"[]"}, `"{}"`, "null"},
	} {
		body := func(value string) string { return `{"name":"a","settings":{"` + test.key + `":` + value + `}}` }
		for _, v := range test.right {
			require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", body(v)).Status, test.key+" "+v)
		}
		for _, v := range append(test.wrong, test.otherwise, test.alsoRefused) {
			harness.RequireWrong(t, ada.Post(t, "/v1/bots", body(v)), "settings."+test.key)
		}
	}
}

// TestNoNumberIsTooStrangeForTheDatabase wants each either refused or kept and read again: JSON has numbers that
// neither float64 nor Postgres' numeric holds.
func TestNoNumberIsTooStrangeForTheDatabase(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, number := range []string{
		"1e400000", "-1e400000", "1e-400000", "1e309", "1e308", "1e300", "-1e300", "1e-300", "9223372036854775807", "9223372036854775808",
		"18446744073709551616", "-0", "-0.0", "0e999999999999999999999", "1e-16383", "1e-16384", "5e-324",
		"0." + strings.Repeat("1", 16383), "0." + strings.Repeat("1", 16384), "0." + strings.Repeat("0", 20_000) + "1",
		strings.Repeat("9", 300), strings.Repeat("9", 140_000), "0." + strings.Repeat("9", 900_000),
	} {
		name := number[:min(len(number), 30)]
		a := ada.Post(t, "/v1/bots", `{"name":"a","settings":{"metadata":{"strange":`+number+`}}}`)
		require.Contains(t, []int{http.StatusCreated, http.StatusBadRequest, http.StatusUnprocessableEntity}, a.Status, "%s: %s", name, a.Text("code"))
		if a.Status == http.StatusCreated {
			read := ada.Get(t, a.Header.Get("Location"))
			require.Equal(t, http.StatusOK, read.Status, name)
			require.Equal(t, a.At("settings.metadata.strange"), read.At("settings.metadata.strange"), "%s was kept as another number", name)
		}
	}
}

func TestEveryWrongFieldIsToldAtOnce(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/register", `{}`), "email", "password", "workspace_name")
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/register", `{"email":"x","password":"short","workspace_name":"","extra":1,"more":null}`),
		"email", "extra", "more", "password", "workspace_name")
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/login", `{"email":1,"password":null}`), "email", "password")
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/refresh", `{"token":"x"}`), "refresh_token", "token")
	harness.RequireWrong(t, ada.Post(t, "/v1/auth/logout", `{"all":true}`), "all")
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", `{"name":1,"instruction":[],"settings":{"temperature":"hot","model":"","free":1},"status":"active"}`),
		"instruction", "name", "settings.model", "settings.temperature", "status")
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", `{"Name":"a"}`), "Name", "name")
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", `{"name":"a","settings":null,"instruction":null}`), "instruction", "settings")
	harness.RequireWrong(t, ada.Put(t, "/v1/bots/nope/instruction", `{"settings":[]}`), "bot_id", "instruction", "settings")
	harness.RequireWrong(t, ada.Post(t, "/v1/conversations/threads", `{"bot_id":"nope","label":"x","title":7}`), "bot_id", "label", "title")
	harness.RequireWrong(t, ada.Post(t, "/v1/conversations/threads", `{"bot_id":7}`), "bot_id")
	harness.RequireWrong(t, ada.Post(t, "/v1/conversations/threads/nope/turn", `{"content":{},"stream":true}`), "thread_id", "content", "stream")
	harness.RequireWrong(t, ada.Get(t, "/v1/bots/nope/versions?limit=0"), "bot_id", "limit")
	harness.RequireWrong(t, ada.Get(t, "/v1/bots/nope/versions/0"), "bot_id", "version")
	for _, blank := range []string{" ", "\t\n", "\u00a0", "\u3000"} {
		harness.RequireWrong(t, ada.Post(t, "/v1/bots", map[string]any{"name": blank}), "name")
		harness.RequireWrong(t, ada.Post(t, "/v1/auth/register", map[string]any{"email": "x@example.com", "password": harness.Password, "workspace_name": blank}), "workspace_name")
	}
}

func TestNULIsAWrongFieldAmongTheOthers(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	calls := ada.BodyCalls(t)
	for _, c := range calls {
		for field := range c.Body {
			body := map[string]any{}
			maps.Copy(body, c.Body)
			body[field] = "abcdefgh\x00"
			require.Contains(t, harness.Fields(ada.Call(t, c.Method, c.Path, body)), field, c.Name)
		}
	}
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", `{"name":"a","settings":{"metadata":{"list":["x","\u0000"]}}}`), "settings.metadata.list.1")
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", `{"name":"a","settings":{"metadata":{"a\u0000":1}}}`), "settings.metadata")
	harness.RequireWrong(t, ada.Post(t, "/v1/bots", `{"name":"a\u0000","instruction":1,"extra":1}`), "extra", "instruction", "name")
}

func TestAMalformedIDInAPathIsAWrongField(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, id := range []string{"nope", "1", strings.ReplaceAll(uuid.NewString(), "-", ""), "{" + uuid.NewString() + "}", "urn:uuid:" + uuid.NewString(),
		uuid.NewString() + "0", "a%2Fb", "%00", "%20", "..%2f..%2fetc", strings.Repeat("x", 5000), "%D0%BF"} {
		bot, thread := "/v1/bots/"+id, "/v1/conversations/threads/"+id
		harness.RequireWrong(t, ada.Get(t, bot), "bot_id")
		harness.RequireWrong(t, ada.Put(t, bot+"/instruction", map[string]any{"instruction": "x"}), "bot_id")
		harness.RequireWrong(t, ada.Get(t, bot+"/versions"), "bot_id")
		harness.RequireWrong(t, ada.Get(t, bot+"/versions/1"), "bot_id")
		harness.RequireWrong(t, ada.Get(t, thread), "thread_id")
		harness.RequireWrong(t, ada.Get(t, thread+"/messages"), "thread_id")
		harness.RequireWrong(t, ada.Post(t, thread+"/turn", map[string]any{"content": "x"}), "thread_id")
		file := "/v1/files/" + id
		harness.RequireWrong(t, ada.Get(t, file), "file_id")
		harness.RequireWrong(t, ada.Get(t, file+"/content"), "file_id")
		harness.RequireWrong(t, ada.Call(t, http.MethodDelete, file, nil), "file_id")
	}
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}).Text("id")
	for _, version := range []string{"0", "-1", "1.5", "1e0", "one", "2147483648", "99999999999999999999"} {
		harness.RequireWrong(t, ada.Get(t, "/v1/bots/"+bot+"/versions/"+version), "version")
	}
	for _, number := range []string{"0", "-1", "1.5", "1.0", "1e0", `"1"`, "true", "2147483648"} {
		harness.RequireWrong(t, ada.Post(t, "/v1/bots/"+bot+"/rollback", `{"version": `+number+`}`), "version")
		harness.RequireWrong(t, ada.Post(t, "/v1/bots/"+bot+"/publish", `{"version": `+number+`}`), "version")
	}
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/bots/"+strings.ToUpper(bot)).Status, "RFC 9562: upper case is taken on input")
}

func TestALimitThatIsNoneIsAWrongField(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, path := range ada.Lists(t) {
		for _, query := range []string{"limit=0", "limit=101", "limit=-1", "limit=abc", "limit=1.5", "limit=", "limit=1e1", "limit=9223372036854775808", "limit=1&limit=2", "limit=%00"} {
			harness.RequireWrong(t, ada.Get(t, path+"?"+query), "limit")
		}
		harness.RequireWrong(t, ada.Get(t, path+"?cursor=a&cursor=b"), "cursor")
		require.Len(t, ada.Get(t, path+"?limit=1").Items(), 1)
		require.Len(t, ada.Get(t, path+"?limit=100").Items(), 2)
	}
}

func TestACursorIsGoodForItsOwnListOfItsOwnWorkspaceOnly(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada, eve := p.Register(t), p.Register(t)
	lists, hers := ada.Lists(t), eve.Lists(t)
	other := ada.Lists(t) // another bot, another thread
	refused := func(c *harness.Caller, path, cursor string) {
		t.Helper()
		harness.RequireCode(t, c.Get(t, path+"?cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
	}
	for name, path := range lists {
		first := ada.Get(t, path+"?limit=1")
		require.Equal(t, true, first.At("has_more"), name)
		cursor := first.Text("next_cursor")
		second := ada.Get(t, path+"?limit=1&cursor="+cursor)
		require.Equal(t, http.StatusOK, second.Status, second)
		require.NotEqual(t, first.Items()[0], second.Items()[0], name)

		refused(eve, hers[name], cursor)
		for another, elsewhere := range lists {
			if another != name {
				refused(ada, elsewhere, cursor)
			}
		}
		if name == "versions" || name == "messages" {
			refused(ada, other[name], cursor)
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		require.NoError(t, err)
		for i := range raw {
			forged := bytes.Clone(raw)
			forged[i] ^= 1
			refused(ada, path, base64.RawURLEncoding.EncodeToString(forged))
		}
		for _, garbage := range []string{"x", "AAAA", "null", cursor + "A", cursor[:len(cursor)-1], cursor + "=", "%00", strings.Repeat("A", 900)} {
			refused(ada, path, garbage)
		}
	}
}

func TestAnOperationIDThatIsNoUUIDIsRefusedByEveryCall(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	calls := append(ada.BodyCalls(t), harness.BodyCall{Name: "me", Method: http.MethodGet, Path: "/v1/auth/me", Body: nil}, harness.BodyCall{Name: "bots", Method: http.MethodGet, Path: "/v1/bots", Body: nil})
	id := uuid.NewString()
	for name, headers := range map[string][]harness.Header{
		"no UUID":     {harness.Operation("nope")},
		"blank":       {{Name: "X-Operation-Id", Value: " "}},
		"no dashes":   {harness.Operation(strings.ReplaceAll(id, "-", ""))},
		"braces":      {harness.Operation("{" + id + "}")},
		"urn":         {harness.Operation("urn:uuid:" + id)},
		"nil":         {harness.Operation(uuid.Nil.String())},
		"two":         {harness.Operation(id), harness.Operation(uuid.NewString())},
		"same twice":  {harness.Operation(id), harness.Operation(id)},
		"two in one":  {harness.Operation(id + "," + id)},
		"too long":    {harness.Operation(id + "0")},
		"not hex":     {harness.Operation("g" + id[1:])},
		"dash astray": {harness.Operation(id[:7] + "-0" + id[9:])},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range calls {
				var body any
				if c.Body != nil {
					body = c.Body
				}
				harness.RequireCode(t, ada.Call(t, c.Method, c.Path, body, headers...), http.StatusBadRequest, "INVALID_OPERATION_ID")
			}
			harness.RequireCode(t, ada.Upload(t, "a.txt", "x", headers...), http.StatusBadRequest, "INVALID_OPERATION_ID")
		})
	}
	upper := strings.ToUpper(id)
	first := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, harness.Operation(upper))
	require.Equal(t, http.StatusCreated, first.Status, "RFC 9562: upper case is taken on input")
	require.Equal(t, id, first.Header.Get("X-Operation-Id"))
	again := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, harness.Operation(id))
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"), "one id in two spellings")

	made := ada.Post(t, "/v1/bots", map[string]any{"name": "b"}).Header.Get("X-Operation-Id")
	require.NoError(t, uuid.Validate(made), "the server makes one where none is given")
}

func TestEveryAnswerHasATraceID(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	good := []string{"a", "Trace-1.2_3", strings.Repeat("x", 128), "..."}
	bad := []string{strings.Repeat("x", 129), "a b", "a/b", "a,b", "ü", "a;b", "<script>", "a\tb"}
	for _, c := range []harness.BodyCall{
		{Name: "health", Method: http.MethodGet, Path: "/healthz", Body: nil},
		{Name: "readiness", Method: http.MethodGet, Path: "/readyz", Body: nil},
		{Name: "document", Method: http.MethodGet, Path: "/openapi.json", Body: nil},
		{Name: "reference", Method: http.MethodGet, Path: "/docs", Body: nil},
		{Name: "nothing there", Method: http.MethodGet, Path: "/nope", Body: nil},
		{Name: "wrong method", Method: http.MethodDelete, Path: "/v1/bots", Body: nil},
		{Name: "refused", Method: http.MethodGet, Path: "/v1/bots/nope", Body: nil},
		{Name: "missing", Method: http.MethodGet, Path: "/v1/bots/" + uuid.NewString(), Body: nil},
		{Name: "read", Method: http.MethodGet, Path: "/v1/bots", Body: nil},
		{Name: "change", Method: http.MethodPost, Path: "/v1/bots", Body: map[string]any{"name": "a"}},
		{Name: "no JSON", Method: http.MethodPost, Path: "/v1/bots", Body: nil},
	} {
		var body any
		if c.Body != nil {
			body = c.Body
		}
		seen := map[string]bool{}
		for _, trace := range good {
			require.Equal(t, trace, ada.Call(t, c.Method, c.Path, body, harness.Header{Name: "X-Trace-Id", Value: trace}).Header.Get("X-Trace-Id"), c.Name)
		}
		for _, trace := range append(bad, "") {
			got := ada.Call(t, c.Method, c.Path, body, harness.Header{Name: "X-Trace-Id", Value: trace}).Header.Get("X-Trace-Id")
			require.NotEmpty(t, got, c.Name)
			require.False(t, got == trace || seen[got], "%s: %q was not replaced by a new one", c.Name, trace)
			seen[got] = true
		}
	}
}

func TestAddressesAreTrimmedAndLowerCased(t *testing.T) {
	t.Parallel()
	p := harness.Start(t).Anonymous()
	register := func(email string) harness.Answer {
		t.Helper()
		return p.Post(t, "/v1/auth/register", map[string]any{"email": email, "password": harness.Password, "workspace_name": "Acme"})
	}
	id := uuid.NewString()
	first := register("\t Ada." + id + "@EXAMPLE.com \n")
	require.Equal(t, http.StatusCreated, first.Status, first)
	me := &harness.Caller{Program: p.Program}
	me.Take(first)
	require.Equal(t, "ada."+id+"@example.com", me.Get(t, "/v1/auth/me").Text("email"))
	harness.RequireCode(t, register("ADA."+id+"@example.com"), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	for _, spelling := range []string{"ada." + id + "@example.com", "ADA." + strings.ToUpper(id) + "@Example.Com", "  ada." + id + "@example.com\r\n"} {
		require.Equal(t, http.StatusOK, p.Post(t, "/v1/auth/login", map[string]any{"email": spelling, "password": harness.Password}).Status, spelling)
	}
	for _, good := range []string{
		"a@b", "  x@y  ", strings.Repeat("я", 316) + "@b.c", strings.Repeat("A", 316) + "@b.c   ", "имя@пример.рф", "o'neil+tag@example.com",
		"\u0130stanbul@example.com", "\U0001e900@example.com", "ΣΑΣ@example.com",
	} {
		a := register(good)
		require.Equal(t, http.StatusCreated, a.Status, "%q: %s", good, a)
	}
	for _, bad := range []string{
		"", " ", "a", "a@", "@b", "abc", "a@b@c", "a b@c", "a@b c", "a\n@b", strings.Repeat("я", 317) + "@b.c", " a@ ", "a\u0085b@c", "a\u200b@",
		`"quoted"@example.com`, "\u1c89@example.com", "\ua7cb@example.com", "\U00010d50@example.com", // the last three are younger than our tables
	} {
		harness.RequireWrong(t, register(bad), "email")
	}
	harness.RequireCode(t, p.Post(t, "/v1/auth/login", map[string]any{"email": "nobody", "password": harness.Password}), http.StatusUnauthorized, "INVALID_CREDENTIALS")
}

func TestWhatIsNotThereIsToldInTheOneFormat(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, path := range []string{
		"/nope", "/v1", "/v1/", "/v2/bots", "/v1/bots/" + uuid.NewString() + "/nope", "/V1/bots", "/v1/bots//", "/v1//bots", "/v1/bots/../bots/x/y/z",
		"/v1%2Fbots", "/docs/nope", "/docs/nope.js", "/docs/../x", "/openapi.yml", "/.env", "/v1/bots;a=b", "/" + strings.Repeat("x", 30_000), "/%F0%9F%91%8B",
	} {
		for _, c := range []*harness.Caller{ada, ada.Anonymous()} {
			harness.RequireCode(t, c.Get(t, path), http.StatusNotFound, "NOT_FOUND")
		}
		if !strings.HasPrefix(path, "/docs/") { // those may be read, whatever they are
			harness.RequireCode(t, ada.Post(t, path, map[string]any{}), http.StatusNotFound, "NOT_FOUND")
		}
	}
	id := uuid.NewString()
	for path, allowed := range map[string][]string{
		"/v1/auth/register": {"POST"}, "/v1/auth/login": {"POST"}, "/v1/auth/refresh": {"POST"}, "/v1/auth/logout": {"POST"}, "/v1/auth/me": {"DELETE", "GET"},
		"/v1/bots": {"GET", "POST"}, "/v1/bots/": {"GET", "POST"}, "/v1/bots/" + id: {"DELETE", "GET", "PATCH"}, "/v1/bots/" + id + "/instruction": {"PUT"},
		"/v1/bots/" + id + "/versions": {"GET"}, "/v1/bots/" + id + "/versions/1": {"GET"},
		"/v1/conversations/threads": {"GET", "POST"}, "/v1/conversations/threads/" + id: {"DELETE", "GET", "PATCH"},
		"/v1/bots/" + id + "/rollback": {"POST"}, "/v1/bots/" + id + "/publish": {"POST"}, "/v1/bots/" + id + "/history": {"GET"},
		"/v1/conversations/threads/" + id + "/messages": {"GET"}, "/v1/conversations/threads/" + id + "/turn": {"POST"},
		"/healthz": {"GET"}, "/readyz": {"GET"}, "/openapi.json": {"GET"}, "/openapi.yaml": {"GET"}, "/docs": {"GET"},
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW"} {
			if slices.Contains(allowed, method) || method == "HEAD" && slices.Contains(allowed, "GET") {
				continue
			}
			a := ada.Call(t, method, path, nil)
			require.Equal(t, http.StatusMethodNotAllowed, a.Status, method+" "+path)
			if method != "HEAD" {
				harness.RequireCode(t, a, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
			}
			for _, m := range allowed {
				require.Contains(t, a.Header.Get("Allow"), m, method+" "+path)
			}
		}
		options := ada.Call(t, http.MethodOptions, path, nil)
		require.Equal(t, http.StatusNoContent, options.Status, path)
		for _, m := range allowed {
			require.Contains(t, options.Header.Get("Allow"), m, path)
		}
	}
}

func TestATrailingSlashIsNoOtherPlaceAndNoRedirect(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	ada.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range ada.Lists(t) {
		plain, slashed := ada.Get(t, path+"?limit=1"), ada.Get(t, path+"/?limit=1")
		require.Equal(t, http.StatusOK, slashed.Status, path)
		require.Equal(t, plain.Body["items"], slashed.Body["items"], path)
	}
	for _, c := range ada.BodyCalls(t) {
		if c.Name != "logout" {
			require.Less(t, ada.Call(t, c.Method, c.Path+"/", c.Body).Status, 300, c.Name)
		}
	}
	for _, sly := range []string{"//evil.example/", "//evil.example/v1/bots/", "/%2F/evil.example/", "/\\evil.example/"} {
		a := harness.RawCall(t, ada.Program, "GET "+sly+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NotContains(t, a.Header, "Location", sly)
		require.Equal(t, http.StatusNotFound, a.Status, sly)
	}
}

func TestStrangeRequestsDoNoHarm(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	for _, query := range []string{"limit=%zz", "%", "cursor=%ff%fe", "a=%00", "limit=1;cursor=x", "=&=&", strings.Repeat("a=b&", 5000)} {
		a := ada.Get(t, "/v1/bots?"+query)
		require.Less(t, a.Status, 500, "%s: %s", query[:min(len(query), 20)], a)
	}
	for _, headers := range [][]harness.Header{
		{{Name: "User-Agent", Value: strings.Repeat("ü", 5000)}}, {{Name: "User-Agent", Value: "\xff\xfe"}}, {{Name: "X-Forwarded-For", Value: "nonsense, 1.2.3.4"}}, {{Name: "Accept", Value: "text/html"}},
		{{Name: "Accept-Encoding", Value: "identity;q=0, *;q=0"}}, {{Name: "X-Long", Value: strings.Repeat("x", 50_000)}}, {{Name: "Expect", Value: "100-continue"}}, {{Name: "Origin", Value: "https://evil.example"}},
	} {
		a := ada.Post(t, "/v1/bots", map[string]any{"name": "a"}, headers...)
		require.Equal(t, http.StatusCreated, a.Status, "%s: %s", headers[0].Name, a)
		require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"))
	}
	for name, request := range map[string]string{
		"a bad escape in the path":   "GET /v1/bots/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"headers over all bounds":    "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 200_000) + "\r\n\r\n",
		"two lengths":                "POST /v1/bots HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"an unknown coding":          "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
		"a negative length":          "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"no host":                    "GET /healthz HTTP/1.1\r\n\r\n",
		"a broken chunk":             "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"an absolute address":        "GET http://evil.example/nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"a star":                     "GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"a tunnel":                   "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"a control character in URL": "GET /v1/\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		a := harness.RawCall(t, ada.Program, request)
		require.GreaterOrEqual(t, a.Status, 400, name)
		require.Less(t, a.Status, 500+2, name) // 501: an unknown transfer coding, by net/http
		if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
			var body map[string]any
			require.NoError(t, json.Unmarshal([]byte(a.Body), &body), name)
			require.Len(t, body, 4, name)
		}
	}
	require.Equal(t, http.StatusOK, ada.Get(t, "/healthz").Status)
}

func TestSettingsAreBounded(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	settings := func(size int) map[string]any {
		const frame = `{"metadata":{"x":""}}`
		return map[string]any{"name": "a", "settings": map[string]any{"metadata": map[string]any{"x": strings.Repeat("y", size-len(frame))}}}
	}
	require.Equal(t, http.StatusCreated, ada.Post(t, "/v1/bots", settings(64<<10)).Status)
	a := ada.Post(t, "/v1/bots", settings(64<<10+1))
	harness.RequireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Contains(t, a.Text("message"), "settings")
}
