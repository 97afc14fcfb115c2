package main

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

type object = map[string]any

// walk goes the whole way; it ends with the first step that fails.
func (w *walker) walk(ctx context.Context) error {
	w.ctx = ctx
	w.register()
	bot := w.createBot()
	w.rewriteInstruction(bot)
	w.talk(bot)
	return w.err
}

func (w *walker) register() {
	w.journey("U1", "register: a user and a workspace, signed in at once")
	email := "demo-" + uuid.NewString()[:8] + "@example.com"
	tokens := w.do(step{
		method: http.MethodPost, path: "/v1/auth/register", status: http.StatusCreated,
		body:  object{"email": email, "password": "correct horse battery", "workspace_name": "Acme"},
		facts: []fact{{"user_id", ""}, {"workspace_id", ""}, {"token_type", "bearer"}, {"expires_in", ""}, {"access_token", ""}},
	})
	w.token = tokens.text("access_token") // the calls below carry it as Authorization: Bearer
	w.do(step{
		method: http.MethodGet, path: "/v1/auth/me", status: http.StatusOK,
		facts: []fact{{"email", email}, {"workspace_name", "Acme"}, {"role", "owner"}},
	})
}

func (w *walker) createBot() (id string) {
	w.journey("U3", "create a bot, see it in the list")
	bot := w.do(step{
		method: http.MethodPost, path: "/v1/bots", status: http.StatusCreated,
		body:  object{"name": "Support", "instruction": "Be kind.", "settings": object{"temperature": 0.2}},
		facts: []fact{{"id", ""}, {"status", "draft"}, {"current_version", "1"}},
	})
	w.do(step{
		method: http.MethodGet, path: "/v1/bots", status: http.StatusOK,
		facts: []fact{{"items.name", `["Support"]`}, {"has_more", "false"}},
	})
	return bot.text("id")
}

func (w *walker) rewriteInstruction(bot string) {
	w.journey("U5", "edit the bot's instruction: a new version, the old ones kept")
	w.do(step{
		method: http.MethodPut, path: "/v1/bots/" + bot + "/instruction", status: http.StatusOK,
		body:  object{"instruction": "Be kind and brief."},
		facts: []fact{{"current_version", "2"}, {"instruction", "Be kind and brief."}, {"settings", `{"temperature":0.2}`}},
	})
	w.do(step{
		method: http.MethodGet, path: "/v1/bots/" + bot + "/versions", status: http.StatusOK,
		facts: []fact{{"items.version", "[2,1]"}, {"items.instruction", `["Be kind and brief.","Be kind."]`}},
	})
}

func (w *walker) talk(bot string) {
	w.journey("U10", "test chat: open a thread, take a turn, read the history")
	thread := w.do(step{
		method: http.MethodPost, path: "/v1/conversations/threads", status: http.StatusCreated,
		body:  object{"bot_id": bot},
		facts: []fact{{"id", ""}, {"bot_id", bot}, {"status", "active"}},
	})
	path := "/v1/conversations/threads/" + thread.text("id")
	turn := step{
		method: http.MethodPost, path: path + "/turn", status: http.StatusOK,
		body:      object{"content": "Where is my order?"},
		operation: uuid.NewString(),
		facts: []fact{
			{"user_message.content", "Where is my order?"}, {"assistant_message.content", "Echo: Where is my order?"}, {"bot_version", "2"},
		},
	}
	first := w.do(turn)

	w.journey("again", "the same call under the same X-Operation-Id: the answer is replayed, nothing is said twice")
	turn.replayOf = &first
	w.do(turn)
	w.do(step{
		method: http.MethodGet, path: path + "/messages", status: http.StatusOK,
		facts: []fact{{"items.role", `["user","assistant"]`}, {"items.content", `["Where is my order?","Echo: Where is my order?"]`}},
	})
}
