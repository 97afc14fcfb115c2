package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

// ended is a turn that came to an end an hour ago.
func ended(status domain.TurnStatus, text string) domain.TurnView {
	at := time.Unix(0, 0)
	r := domain.TurnView{ID: uuid.New(), Status: status, Attempt: 1, FinishedAt: &at}
	if text != "" {
		r.Answer = &domain.Message{Content: text}
	}
	return r
}

var (
	anHourLater = time.Unix(3600, 0)
	aDayLater   = time.Unix(25*3600, 0)
)

func line(events []domain.Event) string {
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = fmt.Sprintf("%d %s", e.Sequence, strings.TrimSuffix(fmt.Sprintf("%s %s", e.Type, e.Text), " "))
	}
	return strings.Join(lines, ", ")
}

func TestAReaderGetsWhatItHasNotSeen(t *testing.T) {
	t.Parallel()
	running := domain.TurnView{Status: domain.TurnRunning, Attempt: 1}
	second := ended(domain.TurnCompleted, "ab")
	second.Attempt = 2
	for name, test := range map[string]struct {
		record   domain.TurnView
		chunks   []string
		first    int
		position int64
		now      time.Time
		want     string
	}{
		"a turn that begins":                            {running, nil, 0, 0, anHourLater, "1 turn.created, 2 message.created"},
		"a turn that runs":                              {running, []string{"a", "b"}, 0, 0, anHourLater, "1 turn.created, 2 message.created, 3 message.delta a, 4 message.delta b"},
		"a reader who has seen one chunk":               {running, []string{"a", "b"}, 0, 3, anHourLater, "4 message.delta b"},
		"chunks from a later one on":                    {running, []string{"b", "c"}, 1, 4, anHourLater, "5 message.delta c"},
		"a reader who is ahead of what is kept":         {running, []string{"a"}, 0, 9, anHourLater, ""},
		"an end":                                        {ended(domain.TurnCompleted, "ab"), []string{"a", "b"}, 0, 2, anHourLater, "4 message.delta ab, 5 message.completed, 6 turn.completed"},
		"an end in the middle of the text":              {ended(domain.TurnCompleted, "ab"), []string{"a", "b"}, 0, 3, anHourLater, "4 message.delta b, 5 message.completed, 6 turn.completed"},
		"an end behind the text":                        {ended(domain.TurnCompleted, "ab"), []string{"a", "b"}, 0, 4, anHourLater, "5 message.completed, 6 turn.completed"},
		"an end behind the message":                     {ended(domain.TurnCompleted, "ab"), []string{"a", "b"}, 0, 5, anHourLater, "6 turn.completed"},
		"an end that was seen":                          {ended(domain.TurnCompleted, "ab"), []string{"a", "b"}, 0, 6, anHourLater, ""},
		"a failure":                                     {ended(domain.TurnFailed, ""), []string{"a"}, 0, 2, anHourLater, "3 message.delta a, 1000000 turn.failed"},
		"a failure before any text":                     {ended(domain.TurnFailed, ""), nil, 0, 2, anHourLater, "1000000 turn.failed"},
		"a cancellation":                                {ended(domain.TurnCancelled, "a"), []string{"a"}, 0, 3, anHourLater, "999999 message.completed, 1000000 turn.cancelled"},
		"a failure that was seen":                       {ended(domain.TurnFailed, ""), []string{"a"}, 0, 1_000_000, anHourLater, ""},
		"a failure, a day later":                        {ended(domain.TurnFailed, ""), nil, 0, 3, aDayLater, "1000000 turn.failed"},
		"a failure with fewer chunks than a reader has": {ended(domain.TurnFailed, ""), []string{"a"}, 0, 5, anHourLater, "1000000 turn.failed"},
		"a cancellation behind the message":             {ended(domain.TurnCancelled, "a"), []string{"a"}, 0, 999_999, anHourLater, "1000000 turn.cancelled"},
		"a cancellation that was seen":                  {ended(domain.TurnCancelled, "a"), []string{"a"}, 0, 1_000_000, anHourLater, ""},
		"a cancellation with less than a reader has":    {ended(domain.TurnCancelled, "a"), []string{"a"}, 0, 5, anHourLater, "999997 message.created, 999998 message.delta a, 999999 message.completed, 1000000 turn.cancelled"},
		"a cancellation before any text":                {ended(domain.TurnCancelled, ""), nil, 0, 2, anHourLater, "1000000 turn.cancelled"},
		"a turn that was not streamed":                  {ended(domain.TurnCompleted, "ab"), nil, 0, 3, anHourLater, "4 message.completed, 5 turn.completed"},
		"chunks that are gone":                          {ended(domain.TurnCompleted, "ab"), nil, 0, 4, aDayLater, "999997 message.created, 999998 message.delta ab, 999999 message.completed, 1000000 turn.completed"},
		"chunks that are gone, from the beginning":      {ended(domain.TurnCompleted, "ab"), nil, 0, 2, aDayLater, "999998 message.delta ab, 999999 message.completed, 1000000 turn.completed"},
		"chunks that are gone, the text begun anew":     {ended(domain.TurnCompleted, "ab"), nil, 0, 999_997, aDayLater, "999998 message.delta ab, 999999 message.completed, 1000000 turn.completed"},
		"chunks that are gone, an end that was seen":    {ended(domain.TurnCompleted, "ab"), nil, 0, 1_000_000, aDayLater, ""},
		"chunks that are not all there":                 {ended(domain.TurnCompleted, "abc"), []string{"a", "b"}, 0, 4, anHourLater, "999997 message.created, 999998 message.delta abc, 999999 message.completed, 1000000 turn.completed"},
		"another attempt, for whom has seen the first":  {second, []string{"ab"}, 0, 7, anHourLater, "1000001 turn.created, 1000002 message.created, 1000003 message.delta ab, 1000004 message.completed, 1000005 turn.completed"},
		"another attempt, in its middle":                {second, []string{"ab"}, 0, 1_000_003, anHourLater, "1000004 message.completed, 1000005 turn.completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, line(test.record.Events(test.chunks, test.first, test.position, test.now)))
		})
	}
}

func TestAPositionBeyondAllEventsIsKnownForOne(t *testing.T) {
	t.Parallel()
	running, completed := domain.TurnView{Status: domain.TurnRunning, Attempt: 1}, ended(domain.TurnCompleted, "ab")
	second := completed
	second.Attempt = 2
	two := []string{"a", "b"}
	for name, test := range map[string]struct {
		record   domain.TurnView
		chunks   []string
		known    bool
		position int64
		now      time.Time
		want     bool
	}{
		"the beginning of a turn that runs":      {running, nil, true, 0, anHourLater, false},
		"the last chunk of a turn that runs":     {running, two, true, 4, anHourLater, false},
		"more than a turn has said that runs":    {running, two, true, 5, anHourLater, true},
		"more than is kept of a turn that runs":  {running, two, false, 5, anHourLater, false},
		"another attempt than the one that runs": {running, two, false, 1_000_001, anHourLater, true},
		"the end":                                {completed, two, true, 6, anHourLater, false},
		"beyond the end":                         {completed, two, true, 7, anHourLater, true},
		"the end of a turn without a stream":     {completed, nil, true, 5, anHourLater, false},
		"beyond the end of one without a stream": {completed, nil, true, 6, anHourLater, true},
		"what may have been an event a day ago":  {completed, nil, true, 7, aDayLater, false},
		"an earlier attempt":                     {second, two, true, 900, anHourLater, false},
		"a failed turn may have said more":       {ended(domain.TurnFailed, ""), two, true, 7, anHourLater, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.record.Beyond(test.chunks, test.known, test.position, test.now))
		})
	}
}

func TestAPositionNamesItsAttempt(t *testing.T) {
	t.Parallel()
	for position, want := range map[int64]int{0: 1, 1: 1, 1_000_000: 1, 1_000_001: 2, 2_000_000: 2, 2_000_001: 3} {
		require.Equal(t, want, domain.AttemptAt(position), position)
	}
	require.Equal(t, 0, domain.ChunksAt(1, 2))
	require.Equal(t, 1, domain.ChunksAt(1, 3))
	require.Equal(t, 0, domain.ChunksAt(2, 3))
	require.Equal(t, 4, domain.ChunksAt(2, 1_000_006))
}
