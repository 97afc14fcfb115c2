package modelstream

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/resilience"
	"github.com/parley/parley/platform/work/webhook"
)

const (
	maxText    = 1 << 20 // bytes of text; beyond them the answer ends
	maxMessage = 300     // characters of a provider's message that are kept
	usageWait  = 2 * time.Second
)

// errIncomplete means that a response ended before its server had marked it as complete.
var errIncomplete = errors.New("the answer is not whole")

// GaveUpError means that a server ended its answer for a reason of its own, such as a lack of resources. The same call
// may succeed when it is repeated.
type GaveUpError struct{ Reason string }

// Error returns the server's reason.
func (e GaveUpError) Error() string { return "the server gave up: " + e.Reason }

// Part is what one event adds to an answer.
type Part struct {
	Text      string
	Refusal   string // the provider's text in place of an answer
	Reasoning bool   // the event has reasoning of the model, which is never shown
	Calls     []CallPart
	Reason    string // why the answer ends; empty: it does not yet
	Usage     Usage
	Total     bool // Usage is that of the whole answer, as far as it has come
	Last      bool // the answer is whole: nothing comes after this event
}

// Usage is how many tokens a server has counted so far; nil: it has sent no count.
type Usage struct{ Input, Cached, Output *int }

// Source is where an answer comes from.
type Source struct {
	Body   io.Reader
	Decode func(kind string, data []byte) (Part, error) // the data are valid during the call only
	Stop   func()                                       // ends the reading of Body with an error
	Wait   time.Duration                                // for the rest of an answer whose end was announced; 0: 2 s
	Tools  bool                                         // the model may call tools; otherwise its calls count as reasoning
	OnCall func()                                       // called with the first part of a call of a tool; nil: nobody asks
}

// Read reads an answer to its end and passes its text to say, piece by piece; white space at its beginning waits for
// something visible. The reply has the usage also where Read fails. It fails with ports.ErrContentFiltered,
// ports.ErrEmptyAnswer, ports.ErrToolCall or ports.ErrToolCallCut, with a GaveUpError, with one for an answer that is not whole, or
// with the error of Body or Decode. An answer that calls tools is whole without any text.
//
// An answer ends with [DONE], with a Part that is the last, with the end of Body, or where its reason and its usage are
// sent. Where a server sends the reason and then neither sends more nor closes the connection, Read waits for Source.Wait.
func Read(from Source, say func(text string)) (domain.Reply, error) {
	a := answer{say: say, tools: from.Tools, onCall: from.OnCall}
	wait := from.Wait
	if wait == 0 {
		wait = usageWait
	}
	timer := time.AfterFunc(24*time.Hour, from.Stop) // set where it is needed
	defer timer.Stop()
	in := newDecoder(from.Body)
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			return a.result(nil)
		}
		if err != nil {
			return a.result(err)
		}
		if bytes.HasPrefix(e.data, []byte("[DONE]")) {
			a.done = true
			return a.result(nil)
		}
		if len(bytes.TrimSpace(e.data)) == 0 {
			continue
		}
		part, err := from.Decode(e.kind, e.data)
		if err != nil {
			return a.result(err)
		}
		if a.add(part) {
			return a.result(nil)
		}
		if a.mayBeOver(part) {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// answer is what has been read so far.
type answer struct {
	say     func(text string)
	tools   bool
	onCall  func() // nil: it was called
	thought thinking
	text    strings.Builder
	said    int // bytes of the text that say has been given
	visible bool
	refusal strings.Builder
	calls   calls
	usage   domain.Usage
	end     ending
	reason  string
	repeats bool // text has come after a reason: this server sends one with every event
	done    bool // the server has said that the answer is whole
}

// add takes a part, and reports whether the answer is over.
func (a *answer) add(p Part) (over bool) {
	a.repeats = a.repeats || a.end != untold && p.hasContent()
	a.write(a.thought.next(p.Text))
	a.addCalls(p.Calls)
	a.refusal.WriteString(p.Refusal[:min(len(p.Refusal), max(0, 4*maxMessage-a.refusal.Len()))])
	raise(&a.usage.InputTokens, p.Usage.Input)
	raise(&a.usage.CachedTokens, p.Usage.Cached)
	raise(&a.usage.OutputTokens, p.Usage.Output)
	if end := endingOf(p.Reason); end != untold {
		a.end, a.reason = end, p.Reason
	}
	if p.Last {
		a.done = true
		return true
	}
	if a.calls.err != nil {
		return true
	}
	if a.text.Len()+len(a.thought.held) > maxText {
		a.end, a.reason, a.repeats = cut, "length", false
		return true
	}
	return a.end != untold && !a.repeats && !p.hasContent() && p.Total
}

// mayBeOver reports whether the answer may be complete after a part. A reason that comes with text may be one that the
// server sends with every event; it counts only together with the usage.
func (a *answer) mayBeOver(p Part) bool {
	return a.end != untold && !a.repeats && (!p.hasContent() || p.Total)
}

func (p Part) hasContent() bool {
	return p.Text != "" || p.Refusal != "" || p.Reasoning || len(p.Calls) > 0
}

func (a *answer) addCalls(parts []CallPart) {
	if !a.tools {
		return
	}
	for _, p := range parts {
		a.calls.add(p)
	}
	if len(parts) > 0 && a.onCall != nil {
		a.onCall()
		a.onCall = nil
	}
}

func (a *answer) write(piece string) {
	a.text.WriteString(piece)
	a.visible = a.visible || domain.IsVisible(piece)
	if a.visible && a.text.Len() > a.said {
		a.say(a.text.String()[a.said:])
		a.said = a.text.Len()
	}
}

// result returns the answer when reading has ended, with err or without. An answer whose end was announced is complete,
// whatever happens to the connection afterwards.
func (a *answer) result(err error) (domain.Reply, error) {
	if err == nil || a.end != untold {
		a.write(a.thought.rest())
	}
	reply := domain.Reply{Usage: a.used(), FinishReason: a.end.finishReason()}
	refused := a.end == blocked || a.refusal.Len() > 0
	calling := len(a.calls.all) > 0 && !refused
	switch {
	case a.calls.err != nil:
		return reply, a.calls.err
	case err != nil && (a.end == untold || a.repeats):
		return reply, err
	case a.end == failed:
		return reply, GaveUpError{a.reason}
	case a.end == untold && (!a.done || !a.visible && !refused && !calling):
		return reply, errIncomplete
	case calling && a.end == cut && a.calls.unended():
		return reply, errCallCut()
	case refused && !a.visible:
		return reply, resilience.Answered(a.filtered())
	case !a.visible && !calling:
		return reply, resilience.Answered(ports.ErrEmptyAnswer)
	case refused:
		reply.FinishReason = domain.FinishFilter
	case calling:
		reply.Calls, reply.FinishReason = a.calls.result(), domain.FinishTools
	}
	if a.visible {
		reply.Content = a.text.String()
	}
	return reply, nil
}

// used returns the usage of the answer. What has come of calls of tools is counted where the server has not done so, as nobody else
// sees the calls of an answer that fails.
func (a *answer) used() domain.Usage {
	used := a.usage
	if least := domain.TokensOf(a.text.Len() + a.calls.bytes); a.calls.bytes > 0 && (used.OutputTokens == nil || a.end == untold && *used.OutputTokens < least) {
		used.OutputTokens, used.Estimated = &least, true
	}
	return used
}

// filtered returns the failure for an answer that the provider withholds, with the provider's message.
func (a *answer) filtered() error {
	err := ports.ErrContentFiltered
	if code := webhook.Code(strings.ToLower(a.reason)); code != "" {
		err = err.With("provider_code", code)
	}
	if said := strings.ToValidUTF8(strings.TrimSpace(a.refusal.String()), ""); said != "" {
		if runes := []rune(said); len(runes) > maxMessage {
			said = string(runes[:maxMessage])
		}
		err = err.With("provider_message", said)
	}
	return err
}

// raise updates a count. Counts of an answer only grow, and some servers send 0 for an unknown count.
func raise(n **int, sent *int) {
	if sent != nil && (*n == nil || **n < *sent) {
		*n = sent
	}
}
