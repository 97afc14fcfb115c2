package rest

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/page"
)

func TestAPageOfMessagesIsWrittenAsTheDocumentHasIt(t *testing.T) {
	t.Parallel()
	cursor, operation := "abc-_D", uuid.New()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	message := func(change func(*domain.Message)) domain.Message {
		m := domain.Message{ID: uuid.New(), ThreadID: uuid.New(), Seq: 1 << 40, Role: domain.RoleUser, Content: "hello", CreatedAt: at}
		if change != nil {
			change(&m)
		}
		return m
	}
	for name, p := range map[string]messagePage{
		"nothing": {items: []domain.Message{}},
		"one":     {items: []domain.Message{message(nil)}},
		"more":    {items: []domain.Message{message(nil), message(nil)}, more: true, next: &cursor},
		"answer":  {items: []domain.Message{message(func(m *domain.Message) { m.Role, m.OperationID = domain.RoleAssistant, &operation })}},
		"cited": {items: []domain.Message{message(func(m *domain.Message) {
			m.Citations = []domain.Citation{{Number: 1, Title: "<T>", Quote: "\"q\"", Start: 3, End: 6}, {Number: 2, Page: new(7)}}
		})}},
		"broken":   {items: []domain.Message{message(func(m *domain.Message) { m.Cancelled = true })}},
		"no parts": {items: []domain.Message{message(func(m *domain.Message) { m.CreatedAt = at.Truncate(time.Second) })}},
		"rated": {items: []domain.Message{message(func(m *domain.Message) {
			m.Feedback = &domain.Feedback{Rating: "up", Comment: "\"so\" \\ <b>&\u2028\t\n", At: at}
		})}},
		"odd text": {items: []domain.Message{message(func(m *domain.Message) {
			m.Content = "\x00\x01\x1f\x7f\"\\/\u00e9\u4e16\U0001f600\u2028\u2029</script>&\r\n\ufffd"
		})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(MessageList{Items: page.Map(p.items, toMessage), HasMore: p.more, NextCursor: p.next})
			require.NoError(t, err)
			rec := httptest.NewRecorder()
			require.NoError(t, p.VisitListMessagesResponse(rec))
			require.JSONEq(t, string(want), rec.Body.String())
			require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
			require.Equal(t, strconv.Itoa(rec.Body.Len()), rec.Header().Get("Content-Length"))
		})
	}
}

// A large page is written in pieces; what is escaped takes six times its bytes.
func TestALargePageIsTheSameInPieces(t *testing.T) {
	t.Parallel()
	p := messagePage{more: true, next: new(string)}
	for i := range 40 {
		p.items = append(p.items, domain.Message{ID: uuid.New(), Seq: int64(i + 1), Content: strings.Repeat("\x01\u4e16", 100*i)})
	}
	want, err := json.Marshal(MessageList{Items: page.Map(p.items, toMessage), HasMore: p.more, NextCursor: p.next})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	require.NoError(t, p.VisitListMessagesResponse(rec))
	require.Greater(t, rec.Body.Len(), 4*largestBody)
	require.JSONEq(t, string(want), rec.Body.String())
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	require.Empty(t, rec.Header().Get("Content-Length"))
}

func TestAPageThatCannotBeWrittenIsNoHalfAnswer(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	require.Error(t, messagePage{items: []domain.Message{{Content: "\xff"}}}.VisitListMessagesResponse(rec))
	require.Zero(t, rec.Body.Len())
	require.Empty(t, rec.Header())
}
