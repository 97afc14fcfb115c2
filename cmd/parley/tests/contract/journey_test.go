package contract

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestU1RegisterSignsInAtOnce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t)
	ada := p.Register(t)

	me := ada.Get(t, "/v1/auth/me")
	require.Equal(t, http.StatusOK, me.Status, me)
	require.Equal(t, ada.Email, me.Text("email"))
	require.Equal(t, ada.Workspace, me.Text("workspace_id"))
	require.Equal(t, "owner", me.Text("role"))
	require.Equal(t, "Acme", me.Text("workspace_name"))

	again := p.Anonymous()
	login := again.Post(t, "/v1/auth/login", map[string]any{"email": "  " + ada.Email + " ", "password": harness.Password})
	require.Equal(t, http.StatusOK, login.Status, login)
	require.Equal(t, "bearer", login.Text("token_type"))
	require.EqualValues(t, 900, login.At("expires_in"))
	again.Take(login)
	require.Equal(t, ada.User, again.User)
	require.NotEqual(t, me.Text("session_id"), again.Get(t, "/v1/auth/me").Text("session_id"))

	require.Equal(t, http.StatusNoContent, again.Post(t, "/v1/auth/logout", nil).Status)
	harness.RequireCode(t, again.Get(t, "/v1/auth/me"), http.StatusUnauthorized, "UNAUTHORIZED")
	require.Equal(t, http.StatusOK, ada.Get(t, "/v1/auth/me").Status, "another session lives on")
}

func TestU3CreateABotAndSeeItInTheList(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)

	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support"})
	require.Equal(t, http.StatusCreated, bot.Status, bot)
	require.Equal(t, "draft", bot.Text("status"))
	require.EqualValues(t, 1, bot.At("current_version"))
	require.Empty(t, bot.Text("instruction"))
	require.Empty(t, bot.At("settings"))
	require.Equal(t, ada.Workspace, bot.Text("workspace_id"))
	require.Equal(t, "/v1/bots/"+bot.Text("id"), bot.Header.Get("Location"))

	read := ada.Get(t, bot.Header.Get("Location"))
	require.Equal(t, bot.Body, read.Body, "what is read later is what was answered")

	second := ada.Post(t, "/v1/bots/", map[string]any{"name": "Sales"})
	require.Equal(t, http.StatusCreated, second.Status, "with a trailing slash, with no redirect")
	list := ada.Get(t, "/v1/bots/")
	require.Equal(t, []string{"Sales", "Support"}, harness.Names(list.Items()), "newest first")
}

func TestU5EveryEditIsAVersionAndTheOldOnesStay(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind.", "settings": map[string]any{"temperature": 0.5}})
	path := "/v1/bots/" + bot.Text("id")

	edited := ada.Put(t, path+"/instruction", map[string]any{"instruction": "Be brief."})
	require.Equal(t, http.StatusOK, edited.Status, edited)
	require.EqualValues(t, 2, edited.At("current_version"))
	require.Equal(t, "Be brief.", edited.Text("instruction"))
	require.Equal(t, map[string]any{"temperature": 0.5}, edited.At("settings"), "kept where none are sent")

	edited = ada.Put(t, path+"/instruction", map[string]any{"instruction": "Be both.", "settings": map[string]any{"language": "ru"}})
	require.EqualValues(t, 3, edited.At("current_version"))

	versions := ada.Get(t, path+"/versions").Items()
	require.Len(t, versions, 3)
	require.EqualValues(t, 3, versions[0]["version"])
	require.Equal(t, "Be kind.", ada.Get(t, path+"/versions/1").Text("instruction"))
	require.Equal(t, ada.User, ada.Get(t, path+"/versions/2").Text("created_by"))
	harness.RequireCode(t, ada.Get(t, path+"/versions/4"), http.StatusNotFound, "NOT_FOUND")
}

func TestU10TalkToABotAndReadTheHistory(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	bot := ada.Post(t, "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind."}).Text("id")
	thread := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": bot})
	require.Equal(t, http.StatusCreated, thread.Status, thread)
	require.Equal(t, "active", thread.Text("status"))
	path := "/v1/conversations/threads/" + thread.Text("id")
	require.Equal(t, thread.Body, ada.Get(t, path).Body)

	op := uuid.NewString()
	turn := ada.Post(t, path+"/turn", map[string]any{"content": "Привет 👋"}, harness.Operation(op))
	require.Equal(t, http.StatusOK, turn.Status, turn)
	require.Equal(t, "Echo: Привет 👋", turn.Text("assistant_message.content"))
	require.Equal(t, op, turn.Text("user_message.operation_id"))
	require.Equal(t, bot, turn.Text("bot_id"))
	require.EqualValues(t, 1, turn.At("bot_version"))
	ada.Put(t, "/v1/bots/"+bot+"/instruction", map[string]any{"instruction": "Be brief."})
	require.EqualValues(t, 2, ada.Post(t, path+"/turn", map[string]any{"content": "two"}).At("bot_version"))

	messages := ada.Get(t, path+"/messages").Items()
	require.Len(t, messages, 4)
	for i, m := range messages {
		require.EqualValues(t, i+1, m["seq"])
		require.Equal(t, []string{"user", "assistant"}[i%2], m["role"])
	}
	require.Equal(t, turn.Body["user_message"], messages[0], "what is read later is what was answered")
	require.Equal(t, turn.Body["assistant_message"], messages[1])

	alone := ada.Post(t, "/v1/conversations/threads", map[string]any{"bot_id": nil})
	require.Nil(t, alone.Body["bot_id"])
	answer := ada.Post(t, "/v1/conversations/threads/"+alone.Text("id")+"/turn", map[string]any{"content": "one"})
	require.Equal(t, "Echo: one", answer.Text("assistant_message.content"), "a thread needs no bot")
	require.Len(t, ada.Get(t, "/v1/conversations/threads").Items(), 2)
}
