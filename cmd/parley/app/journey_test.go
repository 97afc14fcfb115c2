package app

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestU1RegisterSignsInAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t)
	ada := p.register(t)

	me := ada.get(t, "/v1/auth/me")
	require.Equal(t, http.StatusOK, me.Status, me)
	require.Equal(t, ada.email, me.text("email"))
	require.Equal(t, ada.workspace, me.text("workspace_id"))
	require.Equal(t, "owner", me.text("role"))
	require.Equal(t, "Acme", me.text("workspace_name"))

	again := p.anonymous()
	login := again.post(t, "/v1/auth/login", map[string]any{"email": "  " + ada.email + " ", "password": password})
	require.Equal(t, http.StatusOK, login.Status, login)
	require.Equal(t, "bearer", login.text("token_type"))
	require.EqualValues(t, 900, login.at("expires_in"))
	again.take(login)
	require.Equal(t, ada.user, again.user)
	require.NotEqual(t, me.text("session_id"), again.get(t, "/v1/auth/me").text("session_id"))

	require.Equal(t, http.StatusNoContent, again.post(t, "/v1/auth/logout", nil).Status)
	requireCode(t, again.get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, ada.get(t, "/v1/auth/me").Status, "another session lives on")
}

func TestU3CreateABotAndSeeItInTheList(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)

	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support"})
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, "draft", bot.text("status"))
	require.EqualValues(t, 1, bot.at("current_version"))
	require.Empty(t, bot.text("instruction"))
	require.Empty(t, bot.at("settings"))
	require.Equal(t, ada.workspace, bot.text("workspace_id"))
	require.Equal(t, "/v1/bots/"+bot.text("id"), bot.Header.Get("Location"))

	read := ada.get(t, bot.Header.Get("Location"))
	require.Equal(t, bot.Body, read.Body, "what is read later is what was answered")

	second := ada.post(t, "/v1/bots/", map[string]any{"name": "Sales"})
	require.Equal(t, http.StatusCreated, second.Status, "with a trailing slash, with no redirect")
	list := ada.get(t, "/v1/bots/")
	require.Equal(t, []string{"Sales", "Support"}, names(list.items()), "newest first")
}

func names(items []map[string]any) (out []string) {
	for _, item := range items {
		out = append(out, item["name"].(string))
	}
	return out
}

func TestU5EveryEditIsAVersionAndTheOldOnesStay(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind.", "settings": map[string]any{"temperature": 0.5}})
	path := "/v1/bots/" + bot.text("id")

	edited := ada.put(t, path+"/instruction", map[string]any{"instruction": "Be brief."})
	require.Equal(t, http.StatusOK, edited.Status, edited)
	require.EqualValues(t, 2, edited.at("current_version"))
	require.Equal(t, "Be brief.", edited.text("instruction"))
	require.Equal(t, map[string]any{"temperature": 0.5}, edited.at("settings"), "kept where none are sent")

	edited = ada.put(t, path+"/instruction", map[string]any{"instruction": "Be both.", "settings": map[string]any{"language": "ru"}})
	require.EqualValues(t, 3, edited.at("current_version"))

	versions := ada.get(t, path+"/versions").items()
	require.Len(t, versions, 3)
	require.EqualValues(t, 3, versions[0]["version"])
	require.Equal(t, "Be kind.", ada.get(t, path+"/versions/1").text("instruction"))
	require.Equal(t, ada.user, ada.get(t, path+"/versions/2").text("created_by"))
	requireCode(t, ada.get(t, path+"/versions/4"), http.StatusNotFound, "NOT_FOUND")
}

func TestU10TalkToABotAndReadTheHistory(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	bot := ada.post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind."}).text("id")
	thread := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot})
	require.Equal(t, http.StatusCreated, thread.Status, thread)
	require.Equal(t, "active", thread.text("status"))
	path := "/v1/conversations/threads/" + thread.text("id")
	require.Equal(t, thread.Body, ada.get(t, path).Body)

	op := uuid.NewString()
	turn := ada.post(t, path+"/turn", map[string]any{"content": "Привет 👋"}, operation(op))
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Equal(t, "Echo: Привет 👋", turn.text("assistant_message.content"))
	require.Equal(t, op, turn.text("user_message.operation_id"))
	require.Equal(t, bot, turn.text("bot_id"))
	require.EqualValues(t, 1, turn.at("bot_version"))
	ada.put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be brief."})
	require.EqualValues(t, 2, ada.post(t, path+"/turn", map[string]any{"content": "two"}).at("bot_version"))

	messages := ada.get(t, path+"/messages").items()
	require.Len(t, messages, 4)
	for i, m := range messages {
		require.EqualValues(t, i+1, m["seq"])
		require.Equal(t, []string{"user", "assistant"}[i%2], m["role"])
	}
	require.Equal(t, turn.Body["user_message"], messages[0], "what is read later is what was answered")
	require.Equal(t, turn.Body["assistant_message"], messages[1])

	alone := ada.post(t, "/v1/conversations/threads", map[string]any{"bot_id": nil})
	require.Nil(t, alone.Body["bot_id"])
	answer := ada.post(t, "/v1/conversations/threads/"+alone.text("id")+"/turn", map[string]any{"content": "one"})
	require.Equal(t, "Echo: one", answer.text("assistant_message.content"), "a thread needs no bot")
	require.Len(t, ada.get(t, "/v1/conversations/threads").items(), 2)
}
