package domain_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/channels/domain"
)

func TestAnEventIsTheSameForTheSameSenderAndID(t *testing.T) {
	t.Parallel()
	endpoint := uuid.New()
	operation := func(endpoint uuid.UUID, id string) uuid.UUID {
		e, err := domain.NewInboundEvent(endpoint, id, []byte(`{"type":"order.paid","data":{}}`))
		require.NoError(t, err)
		require.Equal(t, domain.EventIgnored, e.Status)
		require.Nil(t, e.ConversationID)
		return e.OperationID
	}
	first := operation(endpoint, "msg_1")
	require.Equal(t, first, operation(endpoint, "msg_1"))
	require.NotEqual(t, first, operation(endpoint, "msg_2"))
	require.NotEqual(t, first, operation(uuid.New(), "msg_1"))
	require.EqualValues(t, 5, operation(endpoint, "msg_1").Version())
}

func TestAMessageHasAConversationAndAText(t *testing.T) {
	t.Parallel()
	event := func(data string) (domain.InboundEvent, error) {
		return domain.NewInboundEvent(uuid.New(), "msg_1", []byte(`{"type":"message.received","data":`+data+`}`))
	}
	e, err := event(`{"conversation_id":"chat","text":"Hi","more":1}`)
	require.NoError(t, err)
	require.Equal(t, domain.EventReceived, e.Status)
	m, err := e.Message()
	require.NoError(t, err)
	require.Equal(t, domain.InboundMessage{ConversationID: "chat", Text: "Hi"}, m)
	require.Equal(t, "chat", *e.ConversationID)
	for data, want := range map[string]error{
		`{"conversation_id":"","text":"Hi"}`:                                 domain.ErrConversationID,
		`{"conversation_id":"` + strings.Repeat("c", 257) + `","text":"Hi"}`: domain.ErrConversationID,
		`{"conversation_id":1,"text":"Hi"}`:                                  domain.ErrEventShape,
		`[]`:                                                                 domain.ErrEventShape,
	} {
		_, err := event(data)
		require.ErrorIs(t, err, want, data)
	}
	for _, payload := range []string{``, `null`, `{}`, `{"type":"x"}`, `{"data":{}}`, `[]`} {
		_, err := domain.NewInboundEvent(uuid.New(), "msg_1", []byte(payload))
		require.ErrorIs(t, err, domain.ErrEventShape, payload)
	}
}
