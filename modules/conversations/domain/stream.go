package domain

import (
	"slices"
	"strings"
	"time"
)

// EventType says what an event of a stream tells.
type EventType string

// The events of a stream, in their order. MessageCreated begins the answer's text anew: what was said before it is void.
const (
	EventTurnCreated      EventType = "turn.created"
	EventMessageCreated   EventType = "message.created"
	EventMessageDelta     EventType = "message.delta"
	EventMessageCompleted EventType = "message.completed"
	EventTurnCompleted    EventType = "turn.completed"
	EventTurnFailed       EventType = "turn.failed"
	EventTurnCancelled    EventType = "turn.cancelled"
)

// Event is one event of a turn's stream. Sequence numbers begin at 1; those of each further attempt begin after a
// multiple of AttemptSpan, so that a number always says which attempt it is of.
type Event struct {
	Sequence int64
	Type     EventType
	Text     string // of a delta
}

// AttemptSpan is how many numbers an attempt has.
const AttemptSpan = 1_000_000

// Within an attempt: turn.created, message.created, a number for each piece of text, and the end.
const (
	seqCreated = 1
	seqMessage = 2
	seqPieces  = 3
)

// PiecesKept is how long, after the end of a turn, it is known in which pieces its answer was said.
const PiecesKept = 24 * time.Hour

// AttemptAt gives the attempt that a position is in.
func AttemptAt(position int64) int { return int(max(position-1, 0)/AttemptSpan) + 1 }

// PiecesAt gives how many pieces of an attempt a reader has who is at a position.
func PiecesAt(attempt int, position int64) int {
	return int(max(0, position-int64(attempt-1)*AttemptSpan-seqMessage))
}

// Events gives what a reader who is at a position has not seen yet. The pieces are those of the turn's attempt, from the
// one with number first on, which must be no later than the reader's next. Of a turn that has ended all are wanted, and
// what is missing of its text is given in one; the last event is given in any case.
func (r Record) Events(pieces []string, first int, position int64, now time.Time) []Event {
	base := int64(r.Attempt-1) * AttemptSpan
	at := max(position-base, 0) // a reader of an earlier attempt begins anew
	var events []Event
	add := func(seq int64, kind EventType, text string) {
		events = append(events, Event{Sequence: base + seq, Type: kind, Text: text})
	}
	if at < seqCreated {
		add(seqCreated, EventTurnCreated, "")
	}
	if at < seqMessage {
		add(seqMessage, EventMessageCreated, "")
	}
	if !r.Ended() {
		for i := max(0, int(at)-seqMessage-first); i < len(pieces); i++ {
			add(int64(seqPieces+first+i), EventMessageDelta, pieces[i])
		}
		return events
	}
	pieces, anew := r.settle(pieces, at, now)
	end := int64(seqPieces + len(pieces))
	if anew {
		add(seqMessage, EventMessageCreated, "")
		at = seqMessage
	}
	if seen := min(len(pieces), int(max(0, at-seqMessage))); seen < len(pieces) {
		add(end-1, EventMessageDelta, strings.Join(pieces[seen:], ""))
	}
	if r.Answer != nil {
		if at < end {
			add(end, EventMessageCompleted, "")
		}
		end++
	}
	add(end, r.last(), "")
	return events
}

// settle gives the pieces that the text of an ended turn consists of, and whether a reader who is at a place in them has
// to begin the text anew: where it is no longer known what that reader has.
func (r Record) settle(pieces []string, at int64, now time.Time) (settled []string, anew bool) {
	if r.Answer == nil || strings.Join(pieces, "") == r.Answer.Content {
		return pieces, false
	}
	if len(pieces) > 0 { // not all of it was kept
		whole := slices.Clone(pieces)
		clear(whole)
		whole[len(whole)-1] = r.Answer.Content
		return whole, at > seqMessage
	}
	known := r.FinishedAt != nil && now.Sub(*r.FinishedAt) < PiecesKept // it was never streamed: the text is one piece
	return []string{r.Answer.Content}, at > seqMessage && !known
}

func (r Record) last() EventType {
	switch r.Status {
	case TurnCompleted:
		return EventTurnCompleted
	case TurnCancelled:
		return EventTurnCancelled
	default:
		return EventTurnFailed
	}
}
