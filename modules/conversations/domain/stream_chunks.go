package domain

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The chunks of an attempt are the text of its answer, and between it events about it. An event begins with a character that no
// text has: Storable removes it.
const eventMark = "\x1e"

// Storable removes from a model's text what Postgres cannot store, NUL and what is not UTF-8, and what would make a chunk an event.
func Storable(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if !strings.ContainsAny(text, "\x00"+eventMark) {
		return text
	}
	return strings.NewReplacer("\x00", "", eventMark, "").Replace(text)
}

// EventChunk returns the chunk of an event of the stream. Data is encoded as JSON.
func EventChunk(kind EventType, data any) (string, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode the event %s: %w", kind, err)
	}
	return eventMark + string(kind) + eventMark + string(raw), nil
}

// TextOf returns the text of chunks.
func TextOf(chunks []string) string {
	var b strings.Builder
	for _, c := range chunks {
		if !strings.HasPrefix(c, eventMark) {
			b.WriteString(c)
		}
	}
	return b.String()
}

// CitationsOf returns the citations among chunks.
func CitationsOf(chunks []string) (citations []Citation) {
	for _, c := range chunks {
		var citation Citation
		if e := chunkEvent(0, c); e.Type == EventCitation && json.Unmarshal(e.Data, &citation) == nil {
			citations = append(citations, citation)
		}
	}
	return citations
}

// chunkEvent returns a chunk as an event.
func chunkEvent(sequence int64, chunk string) Event {
	rest, ok := strings.CutPrefix(chunk, eventMark)
	if !ok {
		return Event{Sequence: sequence, Type: EventMessageDelta, Text: chunk}
	}
	kind, data, _ := strings.Cut(rest, eventMark)
	return Event{Sequence: sequence, Type: EventType(kind), Data: []byte(data)}
}

// joinedEvents returns chunks as events, with texts that follow each other as one. The last chunk has the given number.
func joinedEvents(chunks []string, last int64) (events []Event) {
	for i, c := range chunks {
		e := chunkEvent(last-int64(len(chunks)-1-i), c)
		if n := len(events); n > 0 && e.Type == EventMessageDelta && events[n-1].Type == EventMessageDelta {
			events[n-1].Text, events[n-1].Sequence = events[n-1].Text+e.Text, e.Sequence
			continue
		}
		events = append(events, e)
	}
	return events
}
