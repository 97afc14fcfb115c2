package turns

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestU5ABotAnswersByItsPublishedVersion(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind.\n", "settings": map[string]any{"temperature": 0.5}})
	path := "/v1/bots/" + bot.Text("id")
	require.EqualValues(t, 1, bot.At("published_version"))
	require.Equal(t, `"1"`, bot.Header.Get("ETag"))
	thread := "/v1/conversations/threads/" + ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.Text("id")}).Text("id")
	require.EqualValues(t, 1, ada.Answers(t, thread), "a draft answers too")

	held := ada.Put(t, path+"/instruction", map[string]any{
		"instruction": "Be brief.\n", "settings": map[string]any{"temperature": 0.7, "fallbacks": []string{"echo"}}, "note": "too long", "publish": false,
	})
	require.Equal(t, []any{2.0, 1.0, "draft", `"2"`}, []any{held.At("current_version"), held.At("published_version"), held.At("status"), held.Header.Get("ETag")})
	require.EqualValues(t, 1, ada.Answers(t, thread), "what is held back does not answer")
	published := ada.Post(t, path+"/publish", map[string]any{"version": 2})
	require.Equal(t, []any{2.0, 2.0, "active"}, []any{published.At("current_version"), published.At("published_version"), published.At("status")}, published)
	require.EqualValues(t, 2, ada.Answers(t, thread))
	back := ada.Post(t, path+"/rollback", map[string]any{"version": 1})
	require.Equal(t, []any{3.0, 3.0, "Be kind.\n"}, []any{back.At("current_version"), back.At("published_version"), back.At("instruction")}, back)
	require.EqualValues(t, 3, ada.Answers(t, thread))
	require.Equal(t, `"3"`, ada.Get(t, path).Header.Get("ETag"))

	versions := ada.Get(t, path+"/versions").Items()
	require.Equal(t, []any{"back to version 1", "too long", ""}, []any{versions[0]["note"], versions[1]["note"], versions[2]["note"]})
	require.Equal(t, versions[0]["content_hash"], versions[2]["content_hash"], "the same content")
	require.NotEqual(t, versions[0]["content_hash"], versions[1]["content_hash"])
	require.Equal(t, versions[1], ada.Get(t, path+"/versions/2").Body)

	diff := ada.Get(t, path+"/versions/1/diff/2")
	require.Equal(t, "--- version 1\n+++ version 2\n@@ -1 +1 @@\n-Be kind.\n+Be brief.\n", diff.Text("instruction"), diff)
	require.Equal(t, []any{
		map[string]any{"op": "add", "path": "/fallbacks", "value": []any{"echo"}},
		map[string]any{"op": "replace", "path": "/temperature", "value": 0.7},
	}, diff.At("settings"))
	same := ada.Get(t, path+"/versions/1/diff/3")
	require.Equal(t, []any{"", []any{}}, []any{same.At("instruction"), same.At("settings")})

	var moves []string
	for page := (harness.Answer{Body: map[string]any{"next_cursor": ""}}); page.At("next_cursor") != nil; {
		query := "?limit=4"
		if cursor := page.Text("next_cursor"); cursor != "" {
			query += "&cursor=" + cursor
		}
		page = ada.Get(t, path+"/history"+query)
		for _, m := range page.Items() {
			require.Equal(t, ada.User, m["moved_by"])
			moves = append(moves, m["pointer"].(string)+" "+m["cause"].(string))
		}
	}
	require.Equal(t, []string{
		"published rollback", "current rollback", "published publish", "current edit", "published create", "current create",
	}, moves)
	for _, action := range []string{"bot.update_instruction", "bot.publish", "bot.roll_back"} {
		require.Len(t, ada.Get(t, "/v1/audit-log?action="+action).Items(), 1, action)
	}
	for _, missing := range []harness.Answer{
		ada.Post(t, path+"/publish", map[string]any{"version": 9}), ada.Post(t, path+"/rollback", map[string]any{"version": 9}),
		ada.Get(t, path+"/versions/1/diff/9"), ada.Get(t, path+"/versions/9/diff/1"),
	} {
		harness.RequireCode(t, missing, http.StatusNotFound, "NOT_FOUND")
	}
}

func TestAnEditOfAVersionThatIsNoLongerCurrentIsRefused(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	path := "/v1/bots/" + ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	body, one := map[string]any{"instruction": "x"}, harness.Header{Name: "If-Match", Value: `"1"`}
	op := harness.Operation(uuid.NewString())
	require.Equal(t, http.StatusOK, ada.Put(t, path+"/instruction", body, one, op).Status)
	again := ada.Put(t, path+"/instruction", body, one, op)
	require.Equal(t, []any{http.StatusOK, "true", `"2"`}, []any{again.Status, again.Header.Get("X-Operation-Replayed"), again.Header.Get("ETag")}, "a repetition is no conflict")
	for _, late := range []harness.Answer{
		ada.Put(t, path+"/instruction", body, one), ada.Post(t, path+"/rollback", map[string]any{"version": 1}, one),
	} {
		harness.RequireCode(t, late, http.StatusPreconditionFailed, "VERSION_CONFLICT")
		require.EqualValues(t, 2, late.At("details.current_version"))
	}
	for _, malformed := range []string{"1", `"0"`, `"01"`, `"+1"`, `"1`, `""`, `"`, `W/2`, `w/"2"`, `"x"`, `"1","2"`, `"99999999999"`, "2"} {
		harness.RequireWrong(t, ada.Put(t, path+"/instruction", body, harness.Header{Name: "If-Match", Value: malformed}), "If-Match")
	}
	harness.RequireCode(t, ada.Put(t, path+"/instruction", body, harness.Header{Name: "If-Match", Value: `"2"`}, harness.Header{Name: "If-Match", Value: `"3"`}), http.StatusBadRequest, "BAD_REQUEST")
	require.EqualValues(t, 2, ada.Get(t, path).At("current_version"))
	require.Equal(t, http.StatusOK, ada.Put(t, path+"/instruction", body, harness.Header{Name: "If-Match", Value: `"2"`}).Status)
	require.Equal(t, http.StatusOK, ada.Put(t, path+"/instruction", body, harness.Header{Name: "If-Match", Value: `W/"3"`}).Status, "a proxy that compresses weakens it")
	require.Equal(t, http.StatusOK, ada.Put(t, path+"/instruction", body, harness.Header{Name: "If-Match", Value: "*"}).Status)
}

func TestAnArchivedBotTakesNothingUntilItIsActiveAgain(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	id := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	ada.Post(t, "/v1/bots", map[string]any{"name": "Sales"})
	open := map[string]any{"bot_id": id}
	thread := "/v1/conversations/threads/" + ada.Post(t, "/v1/conversations/threads", open).Text("id")
	archived := ada.Patch(t, "/v1/bots/"+id, map[string]any{"status": "archived", "name": "Old support"})
	require.Equal(t, []any{http.StatusOK, "archived", "Old support"}, []any{archived.Status, archived.At("status"), archived.At("name")}, archived)
	for _, refused := range []harness.Answer{
		ada.Post(t, "/v1/conversations/threads", open), ada.Post(t, thread+"/turn", map[string]any{"content": "x"}),
		ada.Post(t, "/v1/bots/"+id+"/publish", map[string]any{"version": 1}),
	} {
		harness.RequireCode(t, refused, http.StatusConflict, "CONFLICT")
		require.Contains(t, refused.Text("message"), "archived")
	}
	require.Equal(t, []string{"Old support"}, harness.Names(ada.Get(t, "/v1/bots?status=archived").Items()))
	require.Equal(t, []string{"Sales"}, harness.Names(ada.Get(t, "/v1/bots?q=SAL&status=draft").Items()))
	cursor := ada.Get(t, "/v1/bots?limit=1").Text("next_cursor")
	harness.RequireCode(t, ada.Get(t, "/v1/bots?limit=1&q=a&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
	harness.RequireWrong(t, ada.Get(t, "/v1/bots?q=&status=gone"), "q", "status")
	harness.RequireWrong(t, ada.Patch(t, "/v1/bots/"+id, map[string]any{"status": "draft"}), "status")
	harness.RequireWrong(t, ada.Patch(t, "/v1/bots/"+id, map[string]any{}), "body")
	require.Equal(t, "active", ada.Patch(t, "/v1/bots/"+id, map[string]any{"status": "active"}).Text("status"))
	require.EqualValues(t, 1, ada.Answers(t, thread))
	require.Len(t, ada.Get(t, "/v1/audit-log?action=bot.change").Items(), 2)
}

func TestSettingsThatAreNoneAreRefusedByName(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	path := "/v1/bots/" + ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id") + "/instruction"
	six := strings.Repeat(`"a/b",`, 5) + `"a/b"`
	harness.RequireWrong(t, ada.Put(t, path, `{"instruction":"x","settings":{"fallbacks":[`+six+`],"model":7}}`), "settings.fallbacks", "settings.model")
	good := ada.Put(t, path, `{"instruction":"x","settings":{"model":"openai/gpt-4o-mini","fallbacks":["echo"],"temperature":0,"max_output_tokens":1,"history_limit":0,"language":"ru","metadata":{"own":1}}}`)
	require.Equal(t, http.StatusOK, good.Status, good)
}

// The first clients sent settings of their own, such as piiMasking.
func TestAnUnknownSettingIsKeptAndNamedByAWarning(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	settings := map[string]any{
		"temperature": 0.5, "piiMasking": map[string]any{"enabled": true, "fields": []any{"email"}}, "temprature": 1.0, "Model": "nobody/serves-it",
	}
	warned := func(a harness.Answer) (fields []string) {
		warnings, _ := a.At("warnings").([]any)
		for _, w := range warnings {
			warning := w.(map[string]any)
			require.Equal(t, "UNKNOWN_SETTING", warning["code"])
			fields = append(fields, warning["field"].(string))
		}
		return fields
	}
	unknown := []string{"settings.Model", "settings.piiMasking", "settings.temprature"}
	made := ada.Post(t, "/v1/bots", map[string]any{"name": "a", "instruction": "x", "settings": settings})
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, unknown, warned(made))
	require.Contains(t, string(made.Raw), "did you mean temperature?")
	path := made.Header.Get("Location")
	read := ada.Get(t, path)
	require.Equal(t, settings, read.At("settings"))
	require.Nil(t, read.At("warnings"))
	require.Equal(t, unknown, warned(ada.Put(t, path+"/instruction", map[string]any{"instruction": "y", "settings": settings})))
	require.Empty(t, warned(ada.Put(t, path+"/instruction", map[string]any{"instruction": "z", "settings": map[string]any{"metadata": settings}})))
	require.Equal(t, unknown, warned(ada.Post(t, path+"/rollback", map[string]any{"version": 1})))
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": made.Text("id")}).Text("id")
	turn := ada.Post(t, "/v1/conversations/threads/"+thread+"/turn", harness.Says("hello"))
	require.Equal(t, http.StatusOK, turn.Status, "Model is not model: %s", turn)

	many := map[string]any{}
	for i := range 50 {
		many[fmt.Sprintf("own%d", i)] = i
	}
	require.Len(t, warned(ada.Post(t, "/v1/bots", map[string]any{"name": "a", "settings": many})), 20)
}
