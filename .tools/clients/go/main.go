// Command walk walks the user journeys with a Go client that is generated from the published document.
//
//	walk URL
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/.tools/clients/go/parley"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: walk URL")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := walk(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "walk:", err)
		os.Exit(1)
	}
}

// walker is a caller with what its journey has made so far.
type walker struct {
	url   string
	api   *parley.Client
	token string
	bot   parley.Bot
}

func walk(ctx context.Context, url string) error {
	w := &walker{url: url}
	var err error
	w.api, err = parley.NewClient(url, parley.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if w.token != "" {
			r.Header.Set("Authorization", "Bearer "+w.token)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		walk func(context.Context) error
	}{
		{"U1 register", w.register}, {"U3 create a bot", w.createBot}, {"U5 edit it", w.editBot}, {"U6 knowledge", w.knowledge},
		{"U7-U9 channels", w.channels}, {"U10 test chat", w.testChat}, {"errors by code", w.errors}, {"OpenAI's client", w.openAI},
	} {
		if err := step.walk(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Println("ok Go", step.name)
	}
	return nil
}

// decode reads an answer of status into a T. Any other answer is an error with the server's.
func decode[T any](res *http.Response, err error) (T, error) {
	var value T
	if err != nil {
		return value, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return value, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		return value, fmt.Errorf("%s: %s: %s", res.Request.URL.Path, res.Status, body)
	}
	return value, json.Unmarshal(body, &value)
}

// refused reads the error of an answer.
func refused(res *http.Response, err error) (parley.Error, error) {
	var e parley.Error
	if err != nil {
		return e, err
	}
	defer res.Body.Close()
	if res.StatusCode < http.StatusBadRequest {
		return e, fmt.Errorf("%s: %s is no error", res.Request.URL.Path, res.Status)
	}
	return e, json.NewDecoder(res.Body).Decode(&e)
}

func expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (w *walker) register(ctx context.Context) error {
	session, err := decode[parley.TokenPair](w.api.Register(ctx, nil, parley.RegisterRequest{
		Email: parley.Email("grace-" + uuid.NewString() + "@example.com"), Password: "correct horse battery", WorkspaceName: "Acme",
	}))
	if err != nil {
		return err
	}
	w.token = session.AccessToken
	me, err := decode[parley.Me](w.api.GetMe(ctx, nil))
	if err != nil {
		return err
	}
	return expect(me.WorkspaceId != nil && *me.WorkspaceId == *session.WorkspaceId, "me is in %v", me.WorkspaceId)
}

// createBot gives a name and no more: the fields with defaults are optional.
func (w *walker) createBot(ctx context.Context) (err error) {
	if w.bot, err = decode[parley.Bot](w.api.CreateBot(ctx, nil, parley.CreateBotRequest{Name: "Support"})); err != nil {
		return err
	}
	bots, err := decode[parley.BotList](w.api.ListBots(ctx, nil))
	if err != nil {
		return err
	}
	return expect(slices.ContainsFunc(bots.Items, func(b parley.BotSummary) bool { return b.Id == w.bot.Id }), "the list does not have the bot")
}

func (w *walker) editBot(ctx context.Context) error {
	model := "echo"
	settings := parley.NewSettings{Model: &model, Metadata: &map[string]any{"team": []string{"a"}}, AdditionalProperties: map[string]any{"mine": true}}
	bot, err := decode[parley.Bot](w.api.UpdateInstruction(ctx, w.bot.Id, nil, parley.UpdateInstructionRequest{Instruction: "Be kind.", Settings: &settings}))
	if err != nil {
		return err
	}
	if err := expect(bot.CurrentVersion == 2 && bot.Warnings != nil, "the bot is %+v", bot); err != nil {
		return err
	}
	versions, err := decode[parley.BotVersionList](w.api.ListVersions(ctx, w.bot.Id, nil))
	if err != nil {
		return err
	}
	if err := expect(len(versions.Items) == 2, "there are %d versions", len(versions.Items)); err != nil {
		return err
	}
	stale := `"1"`
	e, err := refused(w.api.UpdateInstruction(ctx, w.bot.Id, &parley.UpdateInstructionParams{IfMatch: &stale}, parley.UpdateInstructionRequest{Instruction: "Too late."}))
	if err != nil {
		return err
	}
	conflict, err := e.AsVersionFailure()
	return errors.Join(err, expect(conflict.Details.CurrentVersion == 2, "the error is %+v", e))
}

// errors reads the details of an error in the form of its code.
func (w *walker) errors(ctx context.Context) error {
	e, err := refused(w.api.CreateBot(ctx, nil, parley.CreateBotRequest{}))
	if err != nil {
		return err
	}
	wrong, err := e.AsValidationFailure()
	return errors.Join(err, expect(e.Code == "VALIDATION_ERROR" && wrong.Details.Errors[0].Field == "name", "the error is %+v", e))
}

func (w *walker) testChat(ctx context.Context) error {
	metadata := parley.ThreadMetadata{"customer": map[string]any{"id": 7}}
	thread, err := decode[parley.Thread](w.api.CreateThread(ctx, nil, parley.CreateThreadRequest{BotId: &w.bot.Id, Metadata: &metadata}))
	if err != nil {
		return err
	}
	turn, err := decode[parley.Turn](w.api.TakeTurn(ctx, thread.Id, nil, parley.TakeTurnRequest{Content: "Where is my order?"}))
	if err != nil {
		return err
	}
	if err := w.stream(ctx, thread.Id); err != nil {
		return err
	}
	messages, err := decode[parley.MessageList](w.api.ListMessages(ctx, thread.Id, nil))
	if err != nil {
		return err
	}
	if err := expect(len(messages.Items) == 4 && messages.Items[1].Content == "Echo: Where is my order?", "the messages are %+v", messages.Items); err != nil {
		return err
	}
	rated, err := decode[parley.Message](w.api.RateMessage(ctx, turn.AssistantMessage.Id, nil, parley.Feedback{Rating: parley.Good}))
	return errors.Join(err, expect(rated.Feedback != nil && rated.Feedback.Rating == parley.Good, "the message is %+v", rated))
}

// stream takes a turn and reads its events as they come.
func (w *walker) stream(ctx context.Context, thread parley.ThreadId) error {
	res, err := w.api.TakeTurn(ctx, thread, nil, parley.TakeTurnRequest{Content: "And now?"}, func(_ context.Context, r *http.Request) error {
		r.Header.Set("Accept", "text/event-stream")
		return nil
	})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var text strings.Builder
	last := ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, found := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !found {
			continue
		}
		var event parley.TurnEvent
		if err := json.Unmarshal(data, &event); err != nil {
			return err
		}
		if last, err = event.Discriminator(); err != nil {
			return err
		}
		if delta, err := event.AsMessageDelta(); last == "message.delta" && err == nil {
			text.WriteString(delta.Delta.Text)
		}
	}
	return expect(text.String() == "Echo: And now?" && last == "turn.completed", "the stream said %q and ended with %s", &text, last)
}

// sign returns a signature in the form of Standard Webhooks.
func sign(secret, id, timestamp string, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// delivery is an event that the receiver got.
type delivery struct {
	header http.Header
	body   []byte
}

func (w *walker) channels(ctx context.Context) error {
	deliveries := make(chan delivery, 100)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		deliveries <- delivery{r.Header, body}
	})}
	go func() { _ = receiver.Serve(listener) }()
	defer receiver.Close()
	subscription, err := decode[parley.WebhookSubscriptionWithSecret](w.api.CreateWebhookSubscription(ctx, nil, parley.CreateWebhookSubscriptionRequest{
		Url: "http://" + listener.Addr().String() + "/", Events: []parley.EventType{parley.EventTypeTurnCompleted},
	}))
	if err != nil {
		return err
	}
	endpoint, err := decode[parley.WebhookEndpointWithSecret](w.api.CreateWebhookEndpoint(ctx, nil, parley.CreateWebhookEndpointRequest{Name: "Shop", BotId: w.bot.Id}))
	if err != nil {
		return err
	}
	event, err := w.send(ctx, endpoint)
	if err != nil {
		return err
	}
	turn, err := w.answered(ctx, event)
	if err != nil {
		return err
	}
	for {
		select {
		case d := <-deliveries:
			if !bytes.Contains(d.body, []byte(turn.String())) {
				continue
			}
			want, err := sign(subscription.Secret, d.header.Get("webhook-id"), d.header.Get("webhook-timestamp"), d.body)
			return errors.Join(err, expect(slices.Contains(strings.Fields(d.header.Get("webhook-signature")), want), "the signature is wrong"))
		case <-ctx.Done():
			return fmt.Errorf("turn.completed was not delivered: %w", ctx.Err())
		}
	}
}

// send sends one message twice to an endpoint and returns the id of its event.
func (w *walker) send(ctx context.Context, endpoint parley.WebhookEndpointWithSecret) (id parley.EventId, err error) {
	event := parley.InboundEvent{Type: "message.received", Data: map[string]any{"conversation_id": "c2", "text": "Hello", "order": 7}}
	body, err := json.Marshal(event)
	if err != nil {
		return id, err
	}
	webhook := uuid.NewString()
	for _, duplicate := range []bool{false, true} {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		signature, err := sign(endpoint.Secret, webhook, timestamp, body)
		if err != nil {
			return id, err
		}
		received, err := decode[parley.ReceivedEvent](w.api.ReceiveWebhookWithBody(ctx, endpoint.Id, &parley.ReceiveWebhookParams{
			WebhookId: &webhook, WebhookTimestamp: &timestamp, WebhookSignature: &signature,
		}, "application/json", bytes.NewReader(body)))
		if err != nil {
			return id, err
		}
		if err := expect(received.Duplicate == duplicate, "the receipt is %+v", received); err != nil {
			return id, err
		}
		id = received.EventId
	}
	return id, nil
}

// answered waits until an event is processed and returns the turn that answered it.
func (w *walker) answered(ctx context.Context, event parley.EventId) (turn parley.TurnId, err error) {
	for {
		found, err := decode[parley.WebhookEventDetail](w.api.GetWebhookEvent(ctx, event, nil))
		if err != nil {
			return turn, err
		}
		if found.Status == parley.WebhookEventStatusProcessed {
			messages, err := decode[parley.MessageList](w.api.ListMessages(ctx, *found.ThreadId, nil))
			return *found.TurnId, errors.Join(err, expect(len(messages.Items) == 2, "the messages are %+v", messages.Items))
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return turn, fmt.Errorf("the event was not processed: %w", ctx.Err())
		}
	}
}
