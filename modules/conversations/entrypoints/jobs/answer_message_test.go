package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/entrypoints/jobs"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	queue "github.com/parley/parley/platform/jobs"
)

// inbox has one message, which nothing may be done with.
type inbox struct{ ports.Inbox }

func (inbox) ToAnswer(_ context.Context, event uuid.UUID) (ports.Waiting, error) {
	return ports.Waiting{InboundEvent: domain.InboundEvent{ID: event, Status: domain.EventReceived}}, nil
}

// away is a model that is not asked for a minute.
type away struct{ ports.ModelGuard }

func (away) Away(context.Context, ports.Prompt, []string) time.Duration { return time.Minute }

func TestAMessageWaitsForAModelThatIsAwayWithoutHavingFailed(t *testing.T) {
	t.Parallel()
	a := jobs.AnswerMessage{Answer: usecases.AnswerEvent{Inbox: inbox{}, Models: away{}}}
	err := a.Do(t.Context(), queue.Job[jobs.Message]{Payload: jobs.Message{EventID: uuid.New()}})
	require.Equal(t, queue.NotYet("the model has failed too often just now", time.Minute), err)
}
