package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	w.teach(bot)
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

	w.journey("again", "the same call under the same X-Operation-Id: the answer is replayed, nothing is sent twice")
	turn.replayOf = &first
	w.do(turn)
	w.do(step{
		method: http.MethodGet, path: path + "/messages", status: http.StatusOK,
		facts: []fact{{"items.role", `["user","assistant"]`}, {"items.content", `["Where is my order?","Echo: Where is my order?"]`}},
	})
}

// teach adds a document to a knowledge base, lets the bot know it, and asks for what is in it.
func (w *walker) teach(bot string) {
	w.journey("U6", "knowledge: add a document, let the bot know it, get an answer that cites it")
	base := w.do(step{
		method: http.MethodPost, path: "/v1/knowledge-bases", status: http.StatusCreated,
		body:  object{"name": "Terms", "language": "english"},
		facts: []fact{{"id", ""}, {"language", "english"}},
	})
	documents := "/v1/knowledge-bases/" + base.text("id") + "/documents"
	document := w.do(step{
		method: http.MethodPost, path: documents, status: http.StatusAccepted,
		body: object{
			"title": "Delivery", "metadata": object{"year": 2026},
			"text": "# Delivery\n\nOrders are shipped within two days. Parcels to islands take a week longer.",
		},
		facts: []fact{{"id", ""}, {"status", ""}},
	})
	path := documents + "/" + document.text("id")
	w.do(step{
		method: http.MethodGet, path: path, status: http.StatusOK,
		until: &fact{"status", "ready"},
		facts: []fact{{"status", "ready"}, {"chunks", "1"}},
	})
	w.do(step{
		method: http.MethodPost, path: "/v1/knowledge-bases/" + base.text("id") + "/search", status: http.StatusOK,
		body:  object{"query": "shipping", "filter": object{"year": 2026}},
		facts: []fact{{"items.title", `["Delivery"]`}, {"mode", "lexical"}},
	})
	w.do(step{
		method: http.MethodPut, path: "/v1/bots/" + bot + "/instruction", status: http.StatusOK,
		body:  object{"instruction": "Be kind and brief.", "settings": object{"knowledge": []object{{"id": base.text("id")}}}},
		facts: []fact{{"current_version", "3"}},
	})
	thread := w.do(step{
		method: http.MethodPost, path: "/v1/conversations/threads", status: http.StatusCreated,
		body:  object{"bot_id": bot},
		facts: []fact{{"id", ""}},
	})
	const quote = "Orders are shipped within two days."
	turn := w.do(step{
		method: http.MethodPost, path: "/v1/conversations/threads/" + thread.text("id") + "/turn", status: http.StatusOK,
		body: object{"content": "When are orders shipped?"},
		facts: []fact{
			{"assistant_message.content", "Echo: When are orders shipped?\n\n" + quote + " [1]"},
			{"assistant_message.citations.title", `["Delivery"]`},
			{"assistant_message.citations.quote", `["` + quote + `"]`},
			{"assistant_message.citations.start", ""}, {"assistant_message.citations.end", ""},
		},
	})
	w.open(path+"/text", turn)
}

// open reads the text of a document and holds it to the place that the answer of a turn cites: a text in a list of one, and its offsets.
func (w *walker) open(path string, turn answer) {
	text := w.do(step{method: http.MethodGet, path: path, status: http.StatusOK, facts: []fact{{"text", ""}}})
	if w.err != nil {
		return
	}
	var quotes []string
	var starts, ends []int
	for field, value := range map[string]any{"quote": &quotes, "start": &starts, "end": &ends} {
		if err := json.Unmarshal([]byte(turn.text("assistant_message.citations."+field)), value); err != nil {
			w.err = fmt.Errorf("the citations of the turn: %w", err)
			return
		}
	}
	letters := []rune(text.text("text"))
	for i, quote := range quotes {
		if ends[i] > len(letters) || starts[i] > ends[i] || string(letters[starts[i]:ends[i]]) != quote {
			w.err = fmt.Errorf("GET %s: the characters %d to %d should be %q", path, starts[i], ends[i], quote)
			return
		}
		fmt.Fprintf(w.out, "     [1] is %s, characters %d to %d of the text\n\n", quote, starts[i], ends[i])
	}
}
