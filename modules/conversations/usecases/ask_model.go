package usecases

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// AskModel calls a model to answer a turn.
type AskModel struct {
	Model    ports.Model
	Retrieve RetrieveKnowledge
	Timeout  time.Duration // for the whole answer
	Now      func() time.Time
}

// timeoutSlack is how much longer than Timeout the context of the call lasts. The guard of the model has the same
// Timeout and must be the first to detect that the model hangs. Otherwise it would take the timeout for a caller who
// has left.
const timeoutSlack = 250 * time.Millisecond

// Ask calls the model of a turn and passes the chunks of the answer to write while it is generated. Where the bot answers from
// knowledge bases, they are searched first. Where the model fails, the error says when to repeat the call, and the reply has the
// usage all the same.
func (u AskModel) Ask(ctx context.Context, t domain.Turn, write func(chunk string)) (domain.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout+timeoutSlack)
	defer cancel()
	start, first := u.Now(), time.Duration(0)
	reply, err := u.answer(ctx, t, write, func() {
		if first == 0 {
			first = u.Now().Sub(start)
		}
	})
	if err == nil && reply.Content == "" {
		err = ports.ErrEmptyAnswer
	}
	reply.Latency, reply.FirstToken = u.Now().Sub(start), first
	if reply.Provider == "" {
		reply.Provider, reply.Model = t.Asked.Provider, t.Asked.Name
	}
	if err != nil {
		return reply, modelFailure(err).With("turn_id", t.ID)
	}
	return reply, nil
}

// answer searches the knowledge bases of the bot, where it has any, and calls the model. Began is called with each text.
func (u AskModel) answer(ctx context.Context, t domain.Turn, write func(chunk string), began func()) (domain.Reply, error) {
	prompt := promptOf(t)
	settings, err := knowledgeOf(t)
	if err != nil {
		return domain.Reply{}, err
	}
	if len(settings.Bases) == 0 || u.Retrieve.Knowledge == nil {
		reply, err := u.Model.Reply(ctx, prompt, func(text string) {
			began()
			write(domain.Storable(text))
		})
		reply.Content = domain.Storable(reply.Content)
		return reply, err
	}
	found, usage, err := u.Retrieve.Do(ctx, t, settings)
	if err != nil {
		return domain.Reply{Usage: usage}, err
	}
	u.Retrieve.reach("retrieved")
	if err := writeEvent(write, domain.EventRetrieved, summaryOf(found)); err != nil {
		return domain.Reply{Usage: usage}, err
	}
	sources := domain.Given(found)
	if len(sources) == 0 && settings.Refuse {
		began()
		write(settings.NoFound)
		return domain.Reply{Content: settings.NoFound, FinishReason: domain.FinishStop, Usage: usage}, nil
	}
	answer := citedAnswer{reader: domain.NewCitationReader(sources), write: write}
	if usage.ChargedMicros != nil {
		prompt.ChargedMicros = *usage.ChargedMicros
	}
	prompt.Found = ports.Found{Sources: sources, Boundary: rand.Text(), Locate: answer.reader.Locate}
	reply, err := u.Model.Reply(ctx, prompt, func(text string) {
		began()
		answer.add(answer.reader.Write(domain.Storable(text)))
	})
	answer.add(answer.reader.Close())
	reply.Usage = usage.Plus(reply.Usage)
	reply.Citations = answer.citations
	if reply.Content = answer.text.String(); err != nil {
		reply.Content = ""
		return reply, err
	}
	return reply, answer.err
}

// citedAnswer is an answer whose citations are read while it is generated.
type citedAnswer struct {
	reader    *domain.CitationReader
	write     func(chunk string)
	text      strings.Builder
	citations []domain.Citation
	err       error
}

// add passes text on, and its citations after it.
func (a *citedAnswer) add(text string, found []domain.Citation) {
	if text != "" {
		a.text.WriteString(text)
		a.write(text)
	}
	for _, c := range found {
		a.citations = append(a.citations, c)
		a.err = errors.Join(a.err, writeEvent(a.write, domain.EventCitation, c))
	}
}

func writeEvent(write func(chunk string), kind domain.EventType, data any) error {
	chunk, err := domain.EventChunk(kind, data)
	if err == nil {
		write(chunk)
	}
	return err
}

func promptOf(t domain.Turn) ports.Prompt {
	return ports.Prompt{
		TurnID: t.ID, Attempt: t.Attempt, Limited: t.CostLimited,
		ThreadID: t.ThreadID, Seq: t.User.Seq, Pinned: t.Request.Instructed(t.Pinned), Defaults: t.Defaults, Content: t.User.Content, Request: t.Request,
	}
}

// modelFailure returns the error for callers of a model's failure. An error that is neither a permanent failure nor a
// limit counts as temporary.
func modelFailure(err error) *fail.Error {
	if ports.PermanentModelFailure(err) || errors.Is(err, ports.ErrModel) || errors.Is(err, fail.ErrLimitReached) {
		return fail.From(err)
	}
	return ports.ErrModel.After(max(ports.ErrModel.RetryAfter, fail.From(err).RetryAfter)).Because(err)
}
