package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/channels/domain"
	"github.com/parley/parley/modules/channels/entrypoints/jobs"
	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/modules/channels/usecases"
	queue "github.com/parley/parley/platform/work/jobs"
)

// inbox has one message, which nothing may be done with.
type inbox struct{ ports.Inbox }

func (inbox) ToAnswer(_ context.Context, event uuid.UUID) (ports.Waiting, error) {
	return ports.Waiting{InboundEvent: domain.InboundEvent{ID: event, Status: domain.EventReceived}}, nil
}

// away has models that are not called for a minute.
type away struct{ ports.Conversations }

func (away) ModelsAway(context.Context, ports.ModelChoice) time.Duration { return time.Minute }

func TestAMessageWaitsForAModelThatIsAwayWithoutHavingFailed(t *testing.T) {
	t.Parallel()
	a := jobs.AnswerMessage{Answer: usecases.AnswerEvent{Inbox: inbox{}, Conversations: away{}}}
	err := a.Do(t.Context(), queue.Job[jobs.Message]{Payload: jobs.Message{EventID: uuid.New()}})
	require.Equal(t, queue.NotYet("the model has failed too often just now", time.Minute), err)
}
