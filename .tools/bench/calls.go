package main

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// target is one client's user and what it works on. pages has more than pageSize messages; thread is for turns.
type target struct {
	token, workspace, user, session, bot, pages, thread string
	email                                               string
}

// columns maps each value of this target to the column of bench.clients that holds it.
func (t target) columns() map[string]string {
	return map[string]string{
		t.workspace: "workspace", t.user: "usr", t.session: "session", t.bot: "bot", t.pages: "pages", t.thread: "thread",
	}
}

// hotCall is a call that is measured.
type hotCall struct {
	name    string
	writes  bool // wants a thread of its own in every round, so that both sides' threads grow alike; each request is another
	request func(target) []byte
}

const pageSize = 50

func hotCalls() []hotCall {
	return []hotCall{
		{name: "turn", writes: true, request: func(t target) []byte {
			return raw("POST", t.token, "/v1/conversations/threads/"+t.thread+"/turn", `{"content":"What does one turn cost, all told?"}`,
				"X-Operation-Id: "+uuid.NewString())
		}},
		{name: "bot", request: func(t target) []byte { return get(t.token, "/v1/bots/"+t.bot) }},
		{name: "page", request: func(t target) []byte {
			return get(t.token, fmt.Sprintf("/v1/conversations/threads/%s/messages?limit=%d", t.pages, pageSize))
		}},
	}
}

func get(token, path string) []byte { return raw("GET", token, path, "") }

func post(token, path, body string) []byte { return raw("POST", token, path, body) }

// raw writes an HTTP/1.1 request.
func raw(method, token, path, body string, headers ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: bench\r\nUser-Agent: parley-bench/1\r\n", method, path)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	if method != "GET" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String())
}
