package app

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// bodyCall is a call that takes a body, with one that is right.
type bodyCall struct {
	name, method, path string
	body               map[string]any
}

// bodyCalls are all of them, on a bot and a thread that exist.
func (c *caller) bodyCalls(t *testing.T) []bodyCall {
	t.Helper()
	bot := c.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	thread := c.post(t, "/v1/conversations/threads", map[string]any{}).text("id") // whose model no call here changes
	said := c.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "hello"}).text("assistant_message.id")
	return []bodyCall{
		{"register", http.MethodPost, "/v1/auth/register", map[string]any{"email": "u" + uuid.NewString() + "@example.com", "password": password, "workspace_name": "Acme"}},
		{"login", http.MethodPost, "/v1/auth/login", map[string]any{"email": c.email, "password": password}},
		{"refresh", http.MethodPost, "/v1/auth/refresh", map[string]any{"refresh_token": c.refresh}},
		{"logout", http.MethodPost, "/v1/auth/logout", map[string]any{}},
		{"create bot", http.MethodPost, "/v1/bots", map[string]any{"name": "Support"}},
		{"update instruction", http.MethodPut, "/v1/bots/" + bot + "/instruction", map[string]any{"instruction": "Be kind."}},
		{"create thread", http.MethodPost, "/v1/conversations/threads", map[string]any{"bot_id": bot}},
		{"change bot", http.MethodPatch, "/v1/bots/" + bot, map[string]any{"name": "Support"}},
		{"roll back", http.MethodPost, "/v1/bots/" + bot + "/rollback", map[string]any{"version": 1}},
		{"publish", http.MethodPost, "/v1/bots/" + bot + "/publish", map[string]any{"version": 1}},
		{"change thread", http.MethodPatch, "/v1/conversations/threads/" + thread, map[string]any{"title": "Order"}},
		{"rate message", http.MethodPut, "/v1/conversations/messages/" + said + "/feedback", map[string]any{"rating": "good"}},
		{"take turn", http.MethodPost, "/v1/conversations/threads/" + thread + "/turn", map[string]any{"content": "hello"}},
		{"put model settings", http.MethodPut, "/v1/model-settings", map[string]any{"default_model": "echo"}},
		{"put model key", http.MethodPut, "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"}},
		{"retry dead letters", http.MethodPost, "/v1/dead-letters/retry", map[string]any{"kind": "note"}},
	}
}

func nested(levels int) string {
	return strings.Repeat(`{"settings":`, levels-1) + "{}" + strings.Repeat("}", levels-1)
}

// fields gives the names of the wrong fields of an answer, each once: a field may be wrong in two ways.
func fields(a answer) (names []string) {
	list, _ := a.at("details.errors").([]any)
	for _, v := range list {
		names = append(names, v.(map[string]any)["field"].(string))
	}
	return slices.Compact(names)
}

func requireWrong(t *testing.T, a answer, names ...string) {
	t.Helper()
	requireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Equal(t, names, fields(a), a)
}

func TestABodyThatIsNotStrictJSONIsRefusedByEveryCall(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	calls := ada.bodyCalls(t)
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
			a := ada.call(t, c.method, c.path, body)
			require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", c.name, name)
			requireCode(t, a, http.StatusBadRequest, "BAD_REQUEST")
		}
	}
	for _, c := range calls {
		if c.name != "logout" {
			requireCode(t, ada.call(t, c.method, c.path, ""), http.StatusBadRequest, "BAD_REQUEST")
			requireCode(t, ada.call(t, c.method, c.path, nil), http.StatusBadRequest, "BAD_REQUEST")
		}
		for _, body := range []string{`[]`, `"x"`, `1`, `true`} {
			requireWrong(t, ada.call(t, c.method, c.path, body), "body")
		}
	}
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me").Status, "a bad logout has logged out")
	require.Len(t, ada.get(t, "/v1/bots").items(), 1, "a bad call has made a bot")
}

func TestNestingOf64LevelsIsTaken(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	deep := fmt.Sprintf(`{"name":"a","settings":{"metadata":%s}}`, nested(62))
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", deep).Status)
	deeper := fmt.Sprintf(`{"name":"a","settings":{"metadata":%s}}`, nested(63))
	requireCode(t, ada.post(t, "/v1/bots", deeper), http.StatusBadRequest, "BAD_REQUEST")
}

// What such a call is sent belongs to its fingerprint: what it does not look at must not be there.
func TestACallThatNeedsNothingTakesNoBodyOrAnEmptyOne(t *testing.T) {
	t.Parallel()
	ada, none := start(t).register(t), uuid.NewString()
	for _, path := range []string{
		"/v1/dead-letters/" + none + "/retry", "/v1/webhook-subscriptions/" + none + "/ping", "/v1/webhook-deliveries/" + none + "/retry",
		"/v1/conversations/threads/" + none + "/turns/" + none + "/cancel", "/v1/conversations/threads/" + none + "/turns/" + none + "/retry",
	} {
		requireWrong(t, ada.post(t, path, `{"all":true}`), "all")
		requireCode(t, ada.post(t, path, "null"), http.StatusBadRequest, "BAD_REQUEST")
		for _, body := range []any{nil, "", "{}"} {
			require.Equal(t, http.StatusNotFound, ada.post(t, path, body).Status, path)
		}
	}
}

func TestABodyThatIsNotDeclaredJSONIsRefusedByEveryCall(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	calls := ada.bodyCalls(t)
	kind := func(v string) []header { return []header{{"Content-Type", v}} }
	for name, test := range map[string]struct {
		headers []header
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
				var body any = c.body
				if test.body != "" || c.name == "logout" {
					body = test.body + " "
				}
				requireCode(t, ada.call(t, c.method, c.path, body, test.headers...), http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
			}
		})
	}
	for _, good := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
		a := ada.post(t, "/v1/bots", map[string]any{"name": "a"}, kind(good)...)
		require.Equal(t, http.StatusCreated, a.Status, "%s: %s", good, a)
	}
}

func TestABodyOverTheLimitIsRefusedHoweverItIsSent(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	const limit = 1 << 20
	body := func(size int) string {
		frame := `{"name":"a"}`
		return frame[:1] + strings.Repeat(" ", size-len(frame)) + frame[1:]
	}
	require.Len(t, body(limit), limit)
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", body(limit)).Status, "exactly at the limit")
	chunked := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", chunked(body(limit))).Status, "exactly at the limit, chunked")
	for _, c := range ada.bodyCalls(t) {
		limit := limit
		if slices.Contains([]string{"register", "login", "refresh"}, c.name) { // without a token
			limit = 64 << 10
		}
		for name, b := range map[string]any{"with its length": body(limit + 1), "chunked": chunked(body(limit + 1))} {
			a := ada.call(t, c.method, c.path, b)
			requireCode(t, a, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE")
			require.EqualValues(t, limit, a.at("details.limit_bytes"), "%s %s", c.name, name)
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
	ada := start(t).register(t)
	calls := map[string]bodyCall{}
	for _, c := range ada.bodyCalls(t) {
		calls[c.name] = c
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
			try := func(letter string, n int) answer {
				body := map[string]any{}
				maps.Copy(body, c.body)
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
				return ada.call(t, c.method, c.path, body)
			}
			for _, letter := range []string{"я", "👋"} {
				for _, n := range []int{test.least, test.most} {
					a := try(letter, n)
					require.NotEqual(t, http.StatusUnprocessableEntity, a.Status, "%d × %s: %s", n, letter, a)
					require.Less(t, a.Status, 500, a)
				}
				requireWrong(t, try(letter, test.most+1), test.field)
			}
			if test.least > 0 {
				requireWrong(t, try("👋", test.least-1), test.field)
			}
		})
	}
}

func TestEveryNumberOfTheSettingsHoldsAtItsEdge(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
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
			require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", body(v)).Status, test.key+" "+v)
		}
		for _, v := range append(test.wrong, test.otherwise, test.alsoRefused) {
			requireWrong(t, ada.post(t, "/v1/bots", body(v)), "settings."+test.key)
		}
	}
}

// TestNoNumberIsTooStrangeForTheDatabase wants each either refused or kept and read again: JSON has numbers that
// neither float64 nor Postgres' numeric holds.
func TestNoNumberIsTooStrangeForTheDatabase(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, number := range []string{
		"1e400000", "-1e400000", "1e-400000", "1e309", "1e308", "1e300", "-1e300", "1e-300", "9223372036854775807", "9223372036854775808",
		"18446744073709551616", "-0", "-0.0", "0e999999999999999999999", "1e-16383", "1e-16384", "5e-324",
		"0." + strings.Repeat("1", 16383), "0." + strings.Repeat("1", 16384), "0." + strings.Repeat("0", 20_000) + "1",
		strings.Repeat("9", 300), strings.Repeat("9", 140_000), "0." + strings.Repeat("9", 900_000),
	} {
		name := number[:min(len(number), 30)]
		a := ada.post(t, "/v1/bots", `{"name":"a","settings":{"metadata":{"strange":`+number+`}}}`)
		require.Contains(t, []int{http.StatusCreated, http.StatusBadRequest, http.StatusUnprocessableEntity}, a.Status, "%s: %s", name, a.text("code"))
		if a.Status == http.StatusCreated {
			read := ada.get(t, a.Header.Get("Location"))
			require.Equal(t, http.StatusOK, read.Status, name)
			require.Equal(t, a.at("settings.metadata.strange"), read.at("settings.metadata.strange"), "%s was kept as another number", name)
		}
	}
}

func TestEveryWrongFieldIsToldAtOnce(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	requireWrong(t, ada.post(t, "/v1/auth/register", `{}`), "email", "password", "workspace_name")
	requireWrong(t, ada.post(t, "/v1/auth/register", `{"email":"x","password":"short","workspace_name":"","extra":1,"more":null}`),
		"email", "extra", "more", "password", "workspace_name")
	requireWrong(t, ada.post(t, "/v1/auth/login", `{"email":1,"password":null}`), "email", "password")
	requireWrong(t, ada.post(t, "/v1/auth/refresh", `{"token":"x"}`), "refresh_token", "token")
	requireWrong(t, ada.post(t, "/v1/auth/logout", `{"all":true}`), "all")
	requireWrong(t, ada.post(t, "/v1/bots", `{"name":1,"instruction":[],"settings":{"temperature":"hot","model":"","free":1},"status":"active"}`),
		"instruction", "name", "settings.model", "settings.temperature", "status")
	requireWrong(t, ada.post(t, "/v1/bots", `{"Name":"a"}`), "Name", "name")
	requireWrong(t, ada.post(t, "/v1/bots", `{"name":"a","settings":null,"instruction":null}`), "instruction", "settings")
	requireWrong(t, ada.put(t, "/v1/bots/nope/instruction", `{"settings":[]}`), "bot_id", "instruction", "settings")
	requireWrong(t, ada.post(t, "/v1/conversations/threads", `{"bot_id":"nope","label":"x","title":7}`), "bot_id", "label", "title")
	requireWrong(t, ada.post(t, "/v1/conversations/threads", `{"bot_id":7}`), "bot_id")
	requireWrong(t, ada.post(t, "/v1/conversations/threads/nope/turn", `{"content":{},"stream":true}`), "thread_id", "content", "stream")
	requireWrong(t, ada.get(t, "/v1/bots/nope/versions?limit=0"), "bot_id", "limit")
	requireWrong(t, ada.get(t, "/v1/bots/nope/versions/0"), "bot_id", "version")
	for _, blank := range []string{" ", "\t\n", "\u00a0", "\u3000"} {
		requireWrong(t, ada.post(t, "/v1/bots", map[string]any{"name": blank}), "name")
		requireWrong(t, ada.post(t, "/v1/auth/register", map[string]any{"email": "x@example.com", "password": password, "workspace_name": blank}), "workspace_name")
	}
}

func TestNULIsAWrongFieldAmongTheOthers(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	calls := ada.bodyCalls(t)
	for _, c := range calls {
		for field := range c.body {
			body := map[string]any{}
			maps.Copy(body, c.body)
			body[field] = "abcdefgh\x00"
			require.Contains(t, fields(ada.call(t, c.method, c.path, body)), field, c.name)
		}
	}
	requireWrong(t, ada.post(t, "/v1/bots", `{"name":"a","settings":{"metadata":{"list":["x","\u0000"]}}}`), "settings.metadata.list.1")
	requireWrong(t, ada.post(t, "/v1/bots", `{"name":"a","settings":{"metadata":{"a\u0000":1}}}`), "settings.metadata")
	requireWrong(t, ada.post(t, "/v1/bots", `{"name":"a\u0000","instruction":1,"extra":1}`), "extra", "instruction", "name")
}

func TestAMalformedIDInAPathIsAWrongField(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, id := range []string{"nope", "1", strings.ReplaceAll(uuid.NewString(), "-", ""), "{" + uuid.NewString() + "}", "urn:uuid:" + uuid.NewString(),
		uuid.NewString() + "0", "a%2Fb", "%00", "%20", "..%2f..%2fetc", strings.Repeat("x", 5000), "%D0%BF"} {
		bot, thread := "/v1/bots/"+id, "/v1/conversations/threads/"+id
		requireWrong(t, ada.get(t, bot), "bot_id")
		requireWrong(t, ada.put(t, bot+"/instruction", map[string]any{"instruction": "x"}), "bot_id")
		requireWrong(t, ada.get(t, bot+"/versions"), "bot_id")
		requireWrong(t, ada.get(t, bot+"/versions/1"), "bot_id")
		requireWrong(t, ada.get(t, thread), "thread_id")
		requireWrong(t, ada.get(t, thread+"/messages"), "thread_id")
		requireWrong(t, ada.post(t, thread+"/turn", map[string]any{"content": "x"}), "thread_id")
		file := "/v1/files/" + id
		requireWrong(t, ada.get(t, file), "file_id")
		requireWrong(t, ada.get(t, file+"/content"), "file_id")
		requireWrong(t, ada.call(t, http.MethodDelete, file, nil), "file_id")
	}
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "a"}).text("id")
	for _, version := range []string{"0", "-1", "1.5", "1e0", "one", "2147483648", "99999999999999999999"} {
		requireWrong(t, ada.get(t, "/v1/bots/"+bot+"/versions/"+version), "version")
	}
	for _, number := range []string{"0", "-1", "1.5", "1.0", "1e0", `"1"`, "true", "2147483648"} {
		requireWrong(t, ada.post(t, "/v1/bots/"+bot+"/rollback", `{"version": `+number+`}`), "version")
		requireWrong(t, ada.post(t, "/v1/bots/"+bot+"/publish", `{"version": `+number+`}`), "version")
	}
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/bots/"+strings.ToUpper(bot)).Status, "RFC 9562: upper case is taken on input")
}

// lists gives the path of every list, with enough in each for a second page.
func (c *caller) lists(t *testing.T) map[string]string {
	t.Helper()
	bot := c.post(t, "/v1/bots", map[string]any{"name": "a"}).text("id")
	c.post(t, "/v1/bots", map[string]any{"name": "b"})
	c.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "x"})
	thread := c.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
	c.post(t, "/v1/conversations/threads", map[string]any{})
	c.post(t, "/v1/conversations/threads/"+thread+"/turn", map[string]any{"content": "x"})
	c.upload(t, "a.txt", "x")
	c.upload(t, "b.txt", "x")
	return map[string]string{
		"files": "/v1/files",
		"bots":  "/v1/bots", "versions": "/v1/bots/" + bot + "/versions",
		"threads": "/v1/conversations/threads", "messages": "/v1/conversations/threads/" + thread + "/messages",
	}
}

func TestALimitThatIsNoneIsAWrongField(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, path := range ada.lists(t) {
		for _, query := range []string{"limit=0", "limit=101", "limit=-1", "limit=abc", "limit=1.5", "limit=", "limit=1e1", "limit=9223372036854775808", "limit=1&limit=2", "limit=%00"} {
			requireWrong(t, ada.get(t, path+"?"+query), "limit")
		}
		requireWrong(t, ada.get(t, path+"?cursor=a&cursor=b"), "cursor")
		require.Len(t, ada.get(t, path+"?limit=1").items(), 1)
		require.Len(t, ada.get(t, path+"?limit=100").items(), 2)
	}
}

func TestACursorIsGoodForItsOwnListOfItsOwnWorkspaceOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada, eve := p.register(t), p.register(t)
	lists, hers := ada.lists(t), eve.lists(t)
	other := ada.lists(t) // another bot, another thread
	refused := func(c *caller, path, cursor string) {
		t.Helper()
		requireCode(t, c.get(t, path+"?cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
	}
	for name, path := range lists {
		first := ada.get(t, path+"?limit=1")
		require.Equal(t, true, first.at("has_more"), name)
		cursor := first.text("next_cursor")
		second := ada.get(t, path+"?limit=1&cursor="+cursor)
		require.Equal(t, http.StatusOK, second.Status, second)
		require.NotEqual(t, first.items()[0], second.items()[0], name)

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
	ada := start(t).register(t)
	calls := append(ada.bodyCalls(t), bodyCall{"me", http.MethodGet, "/v1/auth/me", nil}, bodyCall{"bots", http.MethodGet, "/v1/bots", nil})
	id := uuid.NewString()
	for name, headers := range map[string][]header{
		"no UUID":     {operation("nope")},
		"blank":       {{"X-Operation-Id", " "}},
		"no dashes":   {operation(strings.ReplaceAll(id, "-", ""))},
		"braces":      {operation("{" + id + "}")},
		"urn":         {operation("urn:uuid:" + id)},
		"nil":         {operation(uuid.Nil.String())},
		"two":         {operation(id), operation(uuid.NewString())},
		"same twice":  {operation(id), operation(id)},
		"two in one":  {operation(id + "," + id)},
		"too long":    {operation(id + "0")},
		"not hex":     {operation("g" + id[1:])},
		"dash astray": {operation(id[:7] + "-0" + id[9:])},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range calls {
				var body any
				if c.body != nil {
					body = c.body
				}
				requireCode(t, ada.call(t, c.method, c.path, body, headers...), http.StatusBadRequest, "INVALID_OPERATION_ID")
			}
			requireCode(t, ada.upload(t, "a.txt", "x", headers...), http.StatusBadRequest, "INVALID_OPERATION_ID")
		})
	}
	upper := strings.ToUpper(id)
	first := ada.post(t, "/v1/bots", map[string]any{"name": "a"}, operation(upper))
	require.Equal(t, http.StatusCreated, first.Status, "RFC 9562: upper case is taken on input")
	require.Equal(t, id, first.Header.Get("X-Operation-Id"))
	again := ada.post(t, "/v1/bots", map[string]any{"name": "a"}, operation(id))
	require.Equal(t, "true", again.Header.Get("X-Operation-Replayed"), "one id in two spellings")

	made := ada.post(t, "/v1/bots", map[string]any{"name": "b"}).Header.Get("X-Operation-Id")
	require.NoError(t, uuid.Validate(made), "the server makes one where none is given")
}

func TestEveryAnswerHasATraceID(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	good := []string{"a", "Trace-1.2_3", strings.Repeat("x", 128), "..."}
	bad := []string{strings.Repeat("x", 129), "a b", "a/b", "a,b", "ü", "a;b", "<script>", "a\tb"}
	for _, c := range []bodyCall{
		{"health", http.MethodGet, "/healthz", nil},
		{"readiness", http.MethodGet, "/readyz", nil},
		{"document", http.MethodGet, "/openapi.json", nil},
		{"reference", http.MethodGet, "/docs", nil},
		{"nothing there", http.MethodGet, "/nope", nil},
		{"wrong method", http.MethodDelete, "/v1/bots", nil},
		{"refused", http.MethodGet, "/v1/bots/nope", nil},
		{"missing", http.MethodGet, "/v1/bots/" + uuid.NewString(), nil},
		{"read", http.MethodGet, "/v1/bots", nil},
		{"change", http.MethodPost, "/v1/bots", map[string]any{"name": "a"}},
		{"no JSON", http.MethodPost, "/v1/bots", nil},
	} {
		var body any
		if c.body != nil {
			body = c.body
		}
		seen := map[string]bool{}
		for _, trace := range good {
			require.Equal(t, trace, ada.call(t, c.method, c.path, body, header{"X-Trace-Id", trace}).Header.Get("X-Trace-Id"), c.name)
		}
		for _, trace := range append(bad, "") {
			got := ada.call(t, c.method, c.path, body, header{"X-Trace-Id", trace}).Header.Get("X-Trace-Id")
			require.NotEmpty(t, got, c.name)
			require.False(t, got == trace || seen[got], "%s: %q was not replaced by a new one", c.name, trace)
			seen[got] = true
		}
	}
}

func TestAddressesAreTrimmedAndLowerCased(t *testing.T) {
	t.Parallel()
	p := start(t).anonymous()
	register := func(email string) answer {
		t.Helper()
		return p.post(t, "/v1/auth/register", map[string]any{"email": email, "password": password, "workspace_name": "Acme"})
	}
	id := uuid.NewString()
	first := register("\t Ada." + id + "@EXAMPLE.com \n")
	require.Equal(t, http.StatusCreated, first.Status, first)
	me := &caller{program: p.program}
	me.take(first)
	require.Equal(t, "ada."+id+"@example.com", me.get(t, "/v1/auth/me").text("email"))
	requireCode(t, register("ADA."+id+"@example.com"), http.StatusConflict, "EMAIL_ALREADY_EXISTS")
	for _, spelling := range []string{"ada." + id + "@example.com", "ADA." + strings.ToUpper(id) + "@Example.Com", "  ada." + id + "@example.com\r\n"} {
		require.Equal(t, http.StatusOK, p.post(t, "/v1/auth/login", map[string]any{"email": spelling, "password": password}).Status, spelling)
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
		requireWrong(t, register(bad), "email")
	}
	requireCode(t, p.post(t, "/v1/auth/login", map[string]any{"email": "nobody", "password": password}), http.StatusUnauthorized, "INVALID_CREDENTIALS")
}

func TestWhatIsNotThereIsToldInTheOneFormat(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, path := range []string{
		"/nope", "/v1", "/v1/", "/v2/bots", "/v1/bots/" + uuid.NewString() + "/nope", "/V1/bots", "/v1/bots//", "/v1//bots", "/v1/bots/../bots/x/y/z",
		"/v1%2Fbots", "/docs/nope", "/docs/nope.js", "/docs/../x", "/openapi.yml", "/.env", "/v1/bots;a=b", "/" + strings.Repeat("x", 30_000), "/%F0%9F%91%8B",
	} {
		for _, c := range []*caller{ada, ada.anonymous()} {
			requireCode(t, c.get(t, path), http.StatusNotFound, "NOT_FOUND")
		}
		if !strings.HasPrefix(path, "/docs/") { // those may be read, whatever they are
			requireCode(t, ada.post(t, path, map[string]any{}), http.StatusNotFound, "NOT_FOUND")
		}
	}
	id := uuid.NewString()
	for path, allowed := range map[string][]string{
		"/v1/auth/register": {"POST"}, "/v1/auth/login": {"POST"}, "/v1/auth/refresh": {"POST"}, "/v1/auth/logout": {"POST"}, "/v1/auth/me": {"GET"},
		"/v1/bots": {"GET", "POST"}, "/v1/bots/": {"GET", "POST"}, "/v1/bots/" + id: {"GET", "PATCH"}, "/v1/bots/" + id + "/instruction": {"PUT"},
		"/v1/bots/" + id + "/versions": {"GET"}, "/v1/bots/" + id + "/versions/1": {"GET"},
		"/v1/conversations/threads": {"GET", "POST"}, "/v1/conversations/threads/" + id: {"GET", "PATCH"},
		"/v1/bots/" + id + "/rollback": {"POST"}, "/v1/bots/" + id + "/publish": {"POST"}, "/v1/bots/" + id + "/history": {"GET"},
		"/v1/conversations/threads/" + id + "/messages": {"GET"}, "/v1/conversations/threads/" + id + "/turn": {"POST"},
		"/healthz": {"GET"}, "/readyz": {"GET"}, "/openapi.json": {"GET"}, "/openapi.yaml": {"GET"}, "/docs": {"GET"},
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW"} {
			if slices.Contains(allowed, method) || method == "HEAD" && slices.Contains(allowed, "GET") {
				continue
			}
			a := ada.call(t, method, path, nil)
			require.Equal(t, http.StatusMethodNotAllowed, a.Status, method+" "+path)
			if method != "HEAD" {
				requireCode(t, a, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
			}
			for _, m := range allowed {
				require.Contains(t, a.Header.Get("Allow"), m, method+" "+path)
			}
		}
		options := ada.call(t, http.MethodOptions, path, nil)
		require.Equal(t, http.StatusNoContent, options.Status, path)
		for _, m := range allowed {
			require.Contains(t, options.Header.Get("Allow"), m, path)
		}
	}
}

func TestATrailingSlashIsNoOtherPlaceAndNoRedirect(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	ada.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range ada.lists(t) {
		plain, slashed := ada.get(t, path+"?limit=1"), ada.get(t, path+"/?limit=1")
		require.Equal(t, http.StatusOK, slashed.Status, path)
		require.Equal(t, plain.Body["items"], slashed.Body["items"], path)
	}
	for _, c := range ada.bodyCalls(t) {
		if c.name != "logout" {
			require.Less(t, ada.call(t, c.method, c.path+"/", c.body).Status, 300, c.name)
		}
	}
	for _, sly := range []string{"//evil.example/", "//evil.example/v1/bots/", "/%2F/evil.example/", "/\\evil.example/"} {
		a := rawCall(t, ada.program, "GET "+sly+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NotContains(t, a.header, "Location", sly)
		require.Equal(t, http.StatusNotFound, a.status, sly)
	}
}

// rawAnswer is the answer to bytes that Go's client would not send.
type rawAnswer struct {
	status int
	header http.Header
	body   string
}

func rawCall(t *testing.T, p *program, request string) rawAnswer {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return rawAnswer{res.StatusCode, res.Header, string(body)}
}

func TestStrangeRequestsDoNoHarm(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	for _, query := range []string{"limit=%zz", "%", "cursor=%ff%fe", "a=%00", "limit=1;cursor=x", "=&=&", strings.Repeat("a=b&", 5000)} {
		a := ada.get(t, "/v1/bots?"+query)
		require.Less(t, a.Status, 500, "%s: %s", query[:min(len(query), 20)], a)
	}
	for _, headers := range [][]header{
		{{"User-Agent", strings.Repeat("ü", 5000)}}, {{"User-Agent", "\xff\xfe"}}, {{"X-Forwarded-For", "nonsense, 1.2.3.4"}}, {{"Accept", "text/html"}},
		{{"Accept-Encoding", "identity;q=0, *;q=0"}}, {{"X-Long", strings.Repeat("x", 50_000)}}, {{"Expect", "100-continue"}}, {{"Origin", "https://evil.example"}},
	} {
		a := ada.post(t, "/v1/bots", map[string]any{"name": "a"}, headers...)
		require.Equal(t, http.StatusCreated, a.Status, "%s: %s", headers[0].name, a)
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
		a := rawCall(t, ada.program, request)
		require.GreaterOrEqual(t, a.status, 400, name)
		require.Less(t, a.status, 500+2, name) // 501: an unknown transfer coding, by net/http
		if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			var body map[string]any
			require.NoError(t, json.Unmarshal([]byte(a.body), &body), name)
			require.Len(t, body, 4, name)
		}
	}
	require.Equal(t, http.StatusOK, ada.get(t, "/healthz").Status)
}

func TestSettingsAreBounded(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	settings := func(size int) map[string]any {
		const frame = `{"metadata":{"x":""}}`
		return map[string]any{"name": "a", "settings": map[string]any{"metadata": map[string]any{"x": strings.Repeat("y", size-len(frame))}}}
	}
	require.Equal(t, http.StatusCreated, ada.post(t, "/v1/bots", settings(64<<10)).Status)
	a := ada.post(t, "/v1/bots", settings(64<<10+1))
	requireCode(t, a, http.StatusUnprocessableEntity, "VALIDATION_ERROR")
	require.Contains(t, a.text("message"), "settings")
}
