package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func (c *caller) patch(t *testing.T, path string, body any, headers ...header) answer {
	t.Helper()
	return c.call(t, http.MethodPatch, path, body, headers...)
}

// answers tells which version of a bot answers.
func (c *caller) answers(t *testing.T, thread string) any {
	t.Helper()
	turn := c.post(t, thread+"/turn", map[string]any{"content": "hello"})
	require.Equal(t, http.StatusOK, turn.Status, turn)
	return turn.at("bot_version")
}

func TestU5ABotAnswersByItsPublishedVersion(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind.\n", "settings": map[string]any{"temperature": 0.5}})
	path := "/v1/bots/" + bot.text("id")
	require.EqualValues(t, 1, bot.at("published_version"))
	require.Equal(t, `"1"`, bot.Header.Get("ETag"))
	thread := "/v1/conversations/threads/" + ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot.text("id")}).text("id")
	require.EqualValues(t, 1, ada.answers(t, thread), "a draft answers too")

	held := ada.put(t, path+"/instruction", map[string]any{
		"instruction": "Be brief.\n", "settings": map[string]any{"temperature": 0.7, "fallbacks": []string{"echo"}}, "note": "too long", "publish": false,
	})
	require.Equal(t, []any{2.0, 1.0, "draft", `"2"`}, []any{held.at("current_version"), held.at("published_version"), held.at("status"), held.Header.Get("ETag")})
	require.EqualValues(t, 1, ada.answers(t, thread), "what is held back does not answer")
	published := ada.post(t, path+"/publish", map[string]any{"version": 2})
	require.Equal(t, []any{2.0, 2.0, "active"}, []any{published.at("current_version"), published.at("published_version"), published.at("status")}, published)
	require.EqualValues(t, 2, ada.answers(t, thread))
	back := ada.post(t, path+"/rollback", map[string]any{"version": 1})
	require.Equal(t, []any{3.0, 3.0, "Be kind.\n"}, []any{back.at("current_version"), back.at("published_version"), back.at("instruction")}, back)
	require.EqualValues(t, 3, ada.answers(t, thread))
	require.Equal(t, `"3"`, ada.get(t, path).Header.Get("ETag"))

	versions := ada.get(t, path+"/versions").items()
	require.Equal(t, []any{"back to version 1", "too long", ""}, []any{versions[0]["note"], versions[1]["note"], versions[2]["note"]})
	require.Equal(t, versions[0]["content_hash"], versions[2]["content_hash"], "the same content")
	require.NotEqual(t, versions[0]["content_hash"], versions[1]["content_hash"])
	require.Equal(t, versions[1], ada.get(t, path+"/versions/2").Body)

	diff := ada.get(t, path+"/versions/1/diff/2")
	require.Equal(t, "--- version 1\n+++ version 2\n@@ -1 +1 @@\n-Be kind.\n+Be brief.\n", diff.text("instruction"), diff)
	require.Equal(t, []any{
		map[string]any{"op": "add", "path": "/fallbacks", "value": []any{"echo"}},
		map[string]any{"op": "replace", "path": "/temperature", "value": 0.7},
	}, diff.at("settings"))
	same := ada.get(t, path+"/versions/1/diff/3")
	require.Equal(t, []any{"", []any{}}, []any{same.at("instruction"), same.at("settings")})

	var moves []string
	for page := (answer{Body: map[string]any{"next_cursor": ""}}); page.at("next_cursor") != nil; {
		query := "?limit=4"
		if cursor := page.text("next_cursor"); cursor != "" {
			query += "&cursor=" + cursor
		}
		page = ada.get(t, path+"/history"+query)
		for _, m := range page.items() {
			require.Equal(t, ada.user, m["moved_by"])
			moves = append(moves, m["pointer"].(string)+" "+m["cause"].(string))
		}
	}
	require.Equal(t, []string{
		"published rollback", "current rollback", "published publish", "current edit", "published create", "current create",
	}, moves)
	for _, action := range []string{"bot.update_instruction", "bot.publish", "bot.roll_back"} {
		require.Len(t, ada.get(t, "/v1/audit-log?action="+action).items(), 1, action)
	}
	for _, missing := range []answer{
		ada.post(t, path+"/publish", map[string]any{"version": 9}), ada.post(t, path+"/rollback", map[string]any{"version": 9}),
		ada.get(t, path+"/versions/1/diff/9"), ada.get(t, path+"/versions/9/diff/1"),
	} {
		requireCode(t, missing, http.StatusNotFound, "NOT_FOUND")
	}
}

func TestAnEditOfAVersionThatIsNoLongerCurrentIsRefused(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	path := "/v1/bots/" + ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	body, one := map[string]any{"instruction": "x"}, header{"If-Match", `"1"`}
	op := operation(uuid.NewString())
	require.Equal(t, http.StatusOK, ada.put(t, path+"/instruction", body, one, op).Status)
	again := ada.put(t, path+"/instruction", body, one, op)
	require.Equal(t, []any{http.StatusOK, "true", `"2"`}, []any{again.Status, again.Header.Get("X-Operation-Replayed"), again.Header.Get("ETag")}, "a repetition is no conflict")
	for _, late := range []answer{
		ada.put(t, path+"/instruction", body, one), ada.post(t, path+"/rollback", map[string]any{"version": 1}, one),
	} {
		requireCode(t, late, http.StatusPreconditionFailed, "VERSION_CONFLICT")
		require.EqualValues(t, 2, late.at("details.current_version"))
	}
	for _, malformed := range []string{"1", `"0"`, `"01"`, `"+1"`, `"1`, `""`, `"`, `W/2`, `w/"2"`, `"x"`, `"1","2"`, `"99999999999"`, "2"} {
		requireWrong(t, ada.put(t, path+"/instruction", body, header{"If-Match", malformed}), "If-Match")
	}
	requireCode(t, ada.put(t, path+"/instruction", body, header{"If-Match", `"2"`}, header{"If-Match", `"3"`}), http.StatusBadRequest, "BAD_REQUEST")
	require.EqualValues(t, 2, ada.get(t, path).at("current_version"))
	require.Equal(t, http.StatusOK, ada.put(t, path+"/instruction", body, header{"If-Match", `"2"`}).Status)
	require.Equal(t, http.StatusOK, ada.put(t, path+"/instruction", body, header{"If-Match", `W/"3"`}).Status, "a proxy that compresses weakens it")
	require.Equal(t, http.StatusOK, ada.put(t, path+"/instruction", body, header{"If-Match", "*"}).Status)
}

func TestAnArchivedBotTakesNothingUntilItIsActiveAgain(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	id := ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	ada.post(t, "/v1/bots", map[string]any{"name": "Sales"})
	open := map[string]any{"bot_id": id}
	thread := "/v1/conversations/threads/" + ada.post(t, "/v1/conversations/threads", open).text("id")
	archived := ada.patch(t, "/v1/bots/"+id, map[string]any{"status": "archived", "name": "Old support"})
	require.Equal(t, []any{http.StatusOK, "archived", "Old support"}, []any{archived.Status, archived.at("status"), archived.at("name")}, archived)
	for _, refused := range []answer{
		ada.post(t, "/v1/conversations/threads", open), ada.post(t, thread+"/turn", map[string]any{"content": "x"}),
		ada.post(t, "/v1/bots/"+id+"/publish", map[string]any{"version": 1}),
	} {
		requireCode(t, refused, http.StatusConflict, "CONFLICT")
		require.Contains(t, refused.text("message"), "archived")
	}
	require.Equal(t, []string{"Old support"}, names(ada.get(t, "/v1/bots?status=archived").items()))
	require.Equal(t, []string{"Sales"}, names(ada.get(t, "/v1/bots?q=SAL&status=draft").items()))
	cursor := ada.get(t, "/v1/bots?limit=1").text("next_cursor")
	requireCode(t, ada.get(t, "/v1/bots?limit=1&q=a&cursor="+cursor), http.StatusBadRequest, "BAD_REQUEST")
	requireWrong(t, ada.get(t, "/v1/bots?q=&status=gone"), "q", "status")
	requireWrong(t, ada.patch(t, "/v1/bots/"+id, map[string]any{"status": "draft"}), "status")
	requireWrong(t, ada.patch(t, "/v1/bots/"+id, map[string]any{}), "body")
	require.Equal(t, "active", ada.patch(t, "/v1/bots/"+id, map[string]any{"status": "active"}).text("status"))
	require.EqualValues(t, 1, ada.answers(t, thread))
	require.Len(t, ada.get(t, "/v1/audit-log?action=bot.change").items(), 2)
}

func TestSettingsThatAreNoneAreRefusedByName(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	path := "/v1/bots/" + ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id") + "/instruction"
	six := strings.Repeat(`"a/b",`, 5) + `"a/b"`
	requireWrong(t, ada.put(t, path, `{"instruction":"x","settings":{"fallbacks":[`+six+`],"model":7}}`), "settings.fallbacks", "settings.model")
	good := ada.put(t, path, `{"instruction":"x","settings":{"model":"openai/gpt-4o-mini","fallbacks":["echo"],"temperature":0,"max_output_tokens":1,"history_limit":0,"language":"ru","metadata":{"own":1}}}`)
	require.Equal(t, http.StatusOK, good.Status, good)
}

// The first clients sent settings of their own, such as piiMasking.
func TestAnUnknownSettingIsKeptAndNamedByAWarning(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	settings := map[string]any{
		"temperature": 0.5, "piiMasking": map[string]any{"enabled": true, "fields": []any{"email"}}, "temprature": 1.0, "Model": "nobody/serves-it",
	}
	warned := func(a answer) (fields []string) {
		warnings, _ := a.at("warnings").([]any)
		for _, w := range warnings {
			warning := w.(map[string]any)
			require.Equal(t, "UNKNOWN_SETTING", warning["code"])
			fields = append(fields, warning["field"].(string))
		}
		return fields
	}
	unknown := []string{"settings.Model", "settings.piiMasking", "settings.temprature"}
	made := ada.post(t, "/v1/bots", map[string]any{"name": "a", "instruction": "x", "settings": settings})
	require.Equal(t, http.StatusCreated, made.Status, made)
	require.Equal(t, unknown, warned(made))
	require.Contains(t, string(made.Raw), "did you mean temperature?")
	path := made.Header.Get("Location")
	read := ada.get(t, path)
	require.Equal(t, settings, read.at("settings"))
	require.Nil(t, read.at("warnings"))
	require.Equal(t, unknown, warned(ada.put(t, path+"/instruction", map[string]any{"instruction": "y", "settings": settings})))
	require.Empty(t, warned(ada.put(t, path+"/instruction", map[string]any{"instruction": "z", "settings": map[string]any{"metadata": settings}})))
	require.Equal(t, unknown, warned(ada.post(t, path+"/rollback", map[string]any{"version": 1})))
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": made.text("id")}).text("id")
	turn := ada.post(t, "/v1/conversations/threads/"+thread+"/turn", says("hello"))
	require.Equal(t, http.StatusOK, turn.Status, "Model is not model: %s", turn)

	many := map[string]any{}
	for i := range 50 {
		many[fmt.Sprintf("own%d", i)] = i
	}
	require.Len(t, warned(ada.post(t, "/v1/bots", map[string]any{"name": "a", "settings": many})), 20)
}
