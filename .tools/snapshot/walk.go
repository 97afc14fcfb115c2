package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const password = "correct horse battery"

// walk makes something of every kind through the API.
type walk struct {
	*server
	*manifest

	skipped []string
}

// answer is the body of a successful response.
type answer map[string]any

func (a answer) text(path string) string {
	var v any = map[string]any(a)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// request makes a call; headers are "Name: value".
func request(ctx context.Context, method, url, token string, body []byte, headers ...string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, raw, err
}

// call makes a call with a token and notes it where it is refused.
func (w *walk) call(ctx context.Context, token, method, path string, body any, headers ...string) answer {
	raw, ok := body.([]byte)
	if !ok && body != nil {
		raw, _ = json.Marshal(body)
	}
	status, text, err := request(ctx, method, w.url+path, token, raw, headers...)
	if err != nil || status > 299 {
		w.skipped = append(w.skipped, fmt.Sprintf("%s %s: %d %s %v", method, path, status, text, err))
		return answer{}
	}
	var a answer
	_ = json.Unmarshal(text, &a)
	return a
}

// all is the walk. What later parts need and a release does not give fails it.
func (w *walk) all(ctx context.Context) error {
	w.Email, w.Password = "ada@example.com", password
	ada := w.call(ctx, "", "POST", "/v1/auth/register", map[string]any{"email": w.Email, "password": password, "workspace_name": "Acme"})
	w.Access, w.Refresh, w.Workspace = ada.text("access_token"), ada.text("refresh_token"), ada.text("workspace_id")
	bot := w.bots(ctx)
	w.conversations(ctx, bot)
	w.files(ctx)
	w.people(ctx)
	w.models(ctx)
	w.channels(ctx, bot)
	for what, value := range map[string]string{
		"a session": w.Refresh, "a bot": bot, "a thread": w.Thread, "an API key": w.Key, "a file": w.File, "an endpoint": w.Secret,
	} {
		if value == "" {
			return fmt.Errorf("%s was not made: %s", what, strings.Join(w.skipped, "\n"))
		}
	}
	return nil
}

func (w *walk) bots(ctx context.Context) string {
	bot := w.call(ctx, w.Access, "POST", "/v1/bots", map[string]any{"name": "Support", "instruction": "Be kind.", "settings": map[string]any{"temperature": 0.2}}).text("id")
	path := "/v1/bots/" + bot
	w.call(ctx, w.Access, "PUT", path+"/instruction", map[string]any{"instruction": "Be kind and brief."})
	w.call(ctx, w.Access, "PUT", path+"/instruction", map[string]any{"instruction": "Be brief.", "note": "a trial", "publish": false})
	w.call(ctx, w.Access, "POST", path+"/rollback", map[string]any{"version": 1, "note": "too brief"})
	w.call(ctx, w.Access, "POST", path+"/publish", map[string]any{"version": 3})
	return bot
}

func (w *walk) conversations(ctx context.Context, bot string) {
	w.Thread = w.call(ctx, w.Access, "POST", "/v1/conversations/threads", map[string]any{"bot_id": bot}).text("id")
	turn := "/v1/conversations/threads/" + w.Thread + "/turn"
	said := w.call(ctx, w.Access, "POST", turn, map[string]any{"content": "Where is my order?"}).text("assistant_message.id")
	w.call(ctx, w.Access, "PUT", "/v1/conversations/messages/"+said+"/feedback", map[string]any{"rating": "good", "comment": "kind"})
	w.call(ctx, w.Access, "POST", turn, map[string]any{"content": "And where is the other one?"}, "Accept: text/event-stream")
}

func (w *walk) files(ctx context.Context) {
	var form bytes.Buffer
	f := multipart.NewWriter(&form)
	part, _ := f.CreateFormFile("file", "parcels.txt")
	w.Content = "The parcel comes on Tuesday.\n"
	_, _ = io.WriteString(part, w.Content)
	_ = f.Close()
	if id := w.call(ctx, w.Access, "POST", "/v1/files", form.Bytes(), "Content-Type: "+f.FormDataContentType()).text("id"); id != "" {
		w.File = "/v1/files/" + id
	}
	if base := w.call(ctx, w.Access, "POST", "/v1/knowledge-bases", map[string]any{"name": "Parcels", "language": "english"}).text("id"); base != "" {
		w.call(ctx, w.Access, "POST", "/v1/knowledge-bases/"+base+"/documents", map[string]any{"title": "Parcels", "text": w.Content})
	}
	w.call(ctx, w.Access, "POST", "/v1/tools", map[string]any{
		"kind": "http", "name": "get_parcel", "description": "Returns a parcel.", "effect": "read", "url": "https://example.com/parcels", "method": "GET",
		"schema": map[string]any{"type": "object"}, "credentials": map[string]any{"type": "bearer", "token": "secret"},
	})
}

// people: a member, an invitation that is open, a key, sessions that have ended, log-ins that failed, and an account
// that is in no workspace any more.
func (w *walk) people(ctx context.Context) {
	invited := w.call(ctx, w.Access, "POST", "/v1/invitations", map[string]any{"email": "grace@example.com", "role": "editor"})
	w.call(ctx, "", "POST", "/v1/invitations/accept", map[string]any{"token": invited.text("token"), "password": password})
	gone := w.call(ctx, w.Access, "POST", "/v1/invitations", map[string]any{"email": "bob@example.com", "role": "viewer"})
	bob := w.call(ctx, "", "POST", "/v1/invitations/accept", map[string]any{"token": gone.text("token"), "password": password})
	w.call(ctx, w.Access, "DELETE", "/v1/members/"+bob.text("user_id"), nil)
	w.call(ctx, "", "POST", "/v1/auth/login", map[string]any{"email": "bob@example.com", "password": password})
	w.call(ctx, w.Access, "POST", "/v1/invitations", map[string]any{"email": "eve@example.com", "role": "viewer"})
	w.Key = w.call(ctx, w.Access, "POST", "/v1/api-keys", map[string]any{"name": "Shop", "role": "editor"}).text("key")
	second := w.call(ctx, "", "POST", "/v1/auth/login", map[string]any{"email": w.Email, "password": password})
	w.call(ctx, second.text("access_token"), "POST", "/v1/auth/logout", nil)
	_, _, _ = request(ctx, "POST", w.url+"/v1/auth/login", "", []byte(`{"email": "grace@example.com", "password": "another one, which is wrong"}`))
}

func (w *walk) models(ctx context.Context) {
	w.call(ctx, w.Access, "PUT", "/v1/model-settings", map[string]any{"default_model": "echo"})
	w.call(ctx, w.Access, "PUT", "/v1/model-keys/openai", map[string]any{"api_key": "sk-12345678"})
	w.call(ctx, w.Access, "PUT", "/v1/model-keys/embedding", map[string]any{"api_key": "sk-12345678", "model": "m"})
}

// channels creates an inbound event that is answered, and deliveries to a target that does not answer.
func (w *walk) channels(ctx context.Context, bot string) {
	sub := w.call(ctx, w.Access, "POST", "/v1/webhook-subscriptions", map[string]any{"url": "http://127.0.0.1:9/", "events": []string{"turn.completed"}})
	w.call(ctx, w.Access, "POST", "/v1/webhook-subscriptions/"+sub.text("id")+"/ping", nil)
	made := w.call(ctx, w.Access, "POST", "/v1/webhook-endpoints", map[string]any{"name": "Chat", "bot_id": bot})
	w.Endpoint, w.Secret, w.Conversation = made.text("id"), made.text("secret"), "chat-42"
	body := []byte(`{"type":"message.received","data":{"conversation_id":"chat-42","text":"Where is my parcel?"}}`)
	id, at := "msg_snapshot", strconv.FormatInt(time.Now().Unix(), 10)
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.Secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	w.call(ctx, "", "POST", "/v1/webhooks/"+w.Endpoint, body, "webhook-id: "+id, "webhook-timestamp: "+at,
		"webhook-signature: v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
