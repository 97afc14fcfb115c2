package domain

import "time"

// EventType is the type of an event of a stream.
type EventType string

// The events of a stream, in their order. MessageCreated starts the text of the answer again: the text sent before it
// is void.
const (
	EventTurnCreated      EventType = "turn.created"
	EventMessageCreated   EventType = "message.created"
	EventRetrieved        EventType = "retrieval.completed"
	EventMessageDelta     EventType = "message.delta"
	EventCitation         EventType = "citation.added"
	EventToolCall         EventType = "tool_call.created"
	EventToolResult       EventType = "tool_call.completed"
	EventTurnWaiting      EventType = "turn.waiting"
	EventMessageCompleted EventType = "message.completed"
	EventTurnCompleted    EventType = "turn.completed"
	EventTurnFailed       EventType = "turn.failed"
	EventTurnCancelled    EventType = "turn.cancelled"
)

// Event is one event of a turn's stream. Sequence numbers begin at 1; those of each further attempt begin after a
// multiple of AttemptSpan, so that a number always identifies its attempt.
type Event struct {
	Sequence int64
	Type     EventType
	Text     string // of a delta
	Data     []byte // of a retrieval, a citation and a call of a tool: JSON
}

// AttemptSpan is how many sequence numbers an attempt has.
const AttemptSpan = 1_000_000

// Numbers within an attempt: turn.created, message.created, one for each chunk of text, and the end. The last four
// numbers are for an end whose place after the text is not certain, and for a text that starts again there. They are
// higher than any other number of the attempt that a reader can have.
const (
	seqCreated = 1
	seqMessage = 2
	seqChunks  = 3

	seqMessageAnew = AttemptSpan - 3
	seqTextAnew    = AttemptSpan - 2
	seqAnswer      = AttemptSpan - 1
	seqEnd         = AttemptSpan
)

// chunksKept is how long the chunks of an answer are stored after the end of its turn.
const chunksKept = 24 * time.Hour

// AttemptAt returns the attempt that a position is in.
func AttemptAt(position int64) int { return int(max(position-1, 0)/AttemptSpan) + 1 }

// ChunksAt returns how many chunks of an attempt a reader at a position has received.
func ChunksAt(attempt int, position int64) int {
	return int(max(0, position-int64(attempt-1)*AttemptSpan-seqMessage))
}

// Events returns the events after a reader's position; none where the reader has the last one. The chunks are those of
// the turn's attempt, from the one with number first on, which must be no later than the reader's next. For a turn that
// has ended, all following chunks are required, and text that is in no chunk is returned as one event.
func (r TurnView) Events(chunks []string, first int, position int64, now time.Time) []Event {
	at := r.within(position)
	var events []Event
	if at < seqCreated {
		events = append(events, Event{Sequence: seqCreated, Type: EventTurnCreated})
	}
	if at < seqMessage {
		events = append(events, Event{Sequence: seqMessage, Type: EventMessageCreated})
	}
	switch {
	case !r.Ended():
		for i := max(0, int(at)-seqMessage-first); i < len(chunks); i++ {
			events = append(events, chunkEvent(int64(seqChunks+first+i), chunks[i]))
		}
		if end := int64(seqChunks + first + len(chunks)); r.Status == TurnWaiting && at < end {
			events = append(events, Event{Sequence: end, Type: EventTurnWaiting})
		}
	case r.isNumbered(chunks, now):
		events = append(events, r.numberedEnd(r.answerChunks(chunks), at)...)
	default:
		events = append(events, r.unnumberedEnd(chunks, at)...)
	}
	for i := range events {
		events[i].Sequence += int64(r.Attempt-1) * AttemptSpan
	}
	return events
}

// Beyond reports whether a position is after all events of the turn, so that no reader can be there. Chunks are all
// known chunks of its attempt; known is false where the attempt may have more.
func (r TurnView) Beyond(chunks []string, known bool, position int64, now time.Time) bool {
	at := r.within(position)
	switch {
	case AttemptAt(position) > r.Attempt:
		return true
	case !r.Ended():
		last := seqMessage + len(chunks)
		if r.Status == TurnWaiting {
			last++
		}
		return known && at > int64(last)
	default:
		return r.isNumbered(chunks, now) && at > int64(seqChunks+len(r.answerChunks(chunks))+1)
	}
}

// within returns a position as a number of the turn's attempt: 0 for a reader of an earlier attempt, who starts again.
func (r TurnView) within(position int64) int64 {
	return max(position-int64(r.Attempt-1)*AttemptSpan, 0)
}

// isNumbered reports whether the numbers of the events of an ended turn are certain: where it was completed, and its
// chunks are all stored, or it was never streamed.
func (r TurnView) isNumbered(chunks []string, now time.Time) bool {
	if r.Status != TurnCompleted || r.Answer == nil {
		return false
	}
	recent := r.FinishedAt != nil && now.Sub(*r.FinishedAt) < chunksKept
	return TextOf(chunks) == r.Answer.Content || len(chunks) == 0 && recent
}

// answerChunks returns the chunks of a turn's answer. The text is one chunk where it was never streamed.
func (r TurnView) answerChunks(chunks []string) []string {
	if len(chunks) == 0 && r.Answer.Content != "" {
		return []string{r.Answer.Content}
	}
	return chunks
}

// numberedEnd returns the events from the text on. The end has the numbers after the text.
func (r TurnView) numberedEnd(chunks []string, at int64) (events []Event) {
	answer := int64(seqChunks + len(chunks))
	if seen := min(len(chunks), int(max(0, at-seqMessage))); seen < len(chunks) {
		events = append(events, joinedEvents(chunks[seen:], answer-1)...)
	}
	if at < answer {
		events = append(events, Event{Sequence: answer, Type: EventMessageCompleted})
	}
	if at <= answer {
		events = append(events, Event{Sequence: answer + 1, Type: r.last()})
	}
	return events
}

// unnumberedEnd returns the events from the text on. The end has the last numbers of the attempt. The text starts again
// where the reader may have another one.
func (r TurnView) unnumberedEnd(chunks []string, at int64) (events []Event) {
	seen := int(max(0, at-seqMessage))
	if r.Answer != nil && (seen > len(chunks) || TextOf(chunks) != r.Answer.Content) {
		if at > seqMessage && at < seqMessageAnew {
			events = append(events, Event{Sequence: seqMessageAnew, Type: EventMessageCreated})
		}
		if at < seqTextAnew {
			events = append(events, Event{Sequence: seqTextAnew, Type: EventMessageDelta, Text: r.Answer.Content})
		}
	} else if seen < len(chunks) {
		events = append(events, joinedEvents(chunks[seen:], int64(seqMessage+len(chunks)))...)
	}
	if r.Answer != nil && at < seqAnswer {
		events = append(events, Event{Sequence: seqAnswer, Type: EventMessageCompleted})
	}
	if at < seqEnd {
		events = append(events, Event{Sequence: seqEnd, Type: r.last()})
	}
	return events
}

func (r TurnView) last() EventType {
	switch r.Status {
	case TurnCompleted:
		return EventTurnCompleted
	case TurnCancelled:
		return EventTurnCancelled
	default:
		return EventTurnFailed
	}
}
