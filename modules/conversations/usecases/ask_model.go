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
	Tools    UseTools
	Schemas  ports.Schemas
	Files    AttachFiles
	Timeout  time.Duration // for the whole answer, or for one step of an answer with tools
	Now      func() time.Time
}

// maxToolTurn is how long an attempt with calls of tools may take; its steps have timeouts of their own.
const maxToolTurn = 10 * time.Minute

// timeoutSlack is how much longer than Timeout the context of the call lasts. The guard of the model has the same
// Timeout and must be the first to detect that the model hangs. Otherwise it would take the timeout for a caller who
// has left.
const timeoutSlack = 250 * time.Millisecond

// Ask calls the model of a turn and passes the chunks of the answer to write while it is generated. Where the bot answers from
// knowledge bases, they are searched first. Where the model fails, the error says when to repeat the call, and the reply has the
// usage all the same.
func (u AskModel) Ask(ctx context.Context, t domain.Turn, write func(chunk string)) (domain.Reply, error) {
	attached, release, err := u.Files.Do(ctx, t)
	if err != nil {
		return domain.Reply{}, modelFailure(err).With("turn_id", t.ID)
	}
	defer release()
	t.User.Attachments = attached
	knowledge, tools, err := u.open(ctx, t, write)
	if err != nil {
		return domain.Reply{}, modelFailure(err).With("turn_id", t.ID)
	}
	limit := u.Timeout + timeoutSlack
	if tools != nil {
		limit = maxToolTurn
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start, first := u.Now(), time.Duration(0)
	reply, err := u.answer(ctx, t, knowledge, tools, write, func() {
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
	if errors.Is(err, ports.ErrTurnWaiting) {
		return reply, err
	}
	if err != nil {
		return reply, modelFailure(err).With("turn_id", t.ID)
	}
	return reply, nil
}

// reply calls the model until it has answered, and the tools that it asks for in between. What it said in earlier attempts is written
// again. The usage is that of the last step: the others are counted when they are stored.
func (u AskModel) reply(ctx context.Context, p ports.Prompt, tools *toolTurn, say func(text string)) (domain.Reply, error) {
	if tools == nil {
		return u.Model.Reply(ctx, p, say)
	}
	var text strings.Builder
	broken, corrections := false, p.Steps
	speak := func(piece string) {
		if broken {
			piece, broken = domain.StepBreak+piece, false
		}
		text.WriteString(piece)
		say(piece)
	}
	for _, step := range domain.StepsOf(tools.calls) {
		if step.Text != "" {
			speak(step.Text)
			broken = true
		}
	}
	if err := tools.resume(ctx); err != nil {
		return domain.Reply{}, err
	}
	for {
		if err := tools.settle(ctx); err != nil {
			return domain.Reply{}, err
		}
		tools.offer(&p)
		p.Steps = append(p.Steps, corrections...)
		if p.OutputSchema != nil {
			text.Reset() // the object is what the model says last
		}
		reply, err := u.step(ctx, p, speak)
		p.ChargedMicros = 0 // it is counted with the step
		if err != nil || len(reply.Calls) == 0 {
			reply.Content = text.String()
			return reply, err
		}
		if err := tools.add(ctx, reply); err != nil {
			return reply, err
		}
		broken = text.Len() > 0
	}
}

// step calls the model once.
func (u AskModel) step(ctx context.Context, p ports.Prompt, say func(text string)) (domain.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout+timeoutSlack)
	defer cancel()
	return u.Model.Reply(ctx, p, say)
}

// open returns the knowledge and the tools of a turn's bot.
func (u AskModel) open(ctx context.Context, t domain.Turn, write func(chunk string)) (domain.KnowledgeSettings, *toolTurn, error) {
	knowledge, err := knowledgeOf(t)
	if err != nil {
		return knowledge, nil, err
	}
	var search func() (*searchTool, error)
	if u.Retrieve.Knowledge == nil {
		knowledge.Bases = nil
	}
	if len(knowledge.Bases) > 0 {
		search = func() (*searchTool, error) { return u.Retrieve.openSearch(ctx, t, knowledge, write) }
	}
	tools, err := u.Tools.open(ctx, t, write, search)
	return knowledge, tools, err
}

// answer calls the model. The knowledge bases of the bot, where it has any, are searched before, or when the model asks for that. Began
// is called with each text.
func (u AskModel) answer(
	ctx context.Context, t domain.Turn, knowledge domain.KnowledgeSettings, tools *toolTurn, write func(chunk string), began func(),
) (domain.Reply, error) {
	prompt := promptOf(t)
	if len(knowledge.Bases) == 0 && prompt.OutputSchema != nil {
		return u.output(ctx, prompt, tools, domain.Usage{}, write, began)
	}
	if len(knowledge.Bases) == 0 {
		reply, err := u.reply(ctx, prompt, tools, func(text string) {
			began()
			write(domain.Storable(text))
		})
		reply.Content = domain.Storable(reply.Content)
		return reply, err
	}
	answer, usage := citedAnswer{write: write}, domain.Usage{}
	if tools != nil && tools.search != nil {
		answer.reader = tools.search.reader
		prompt.Found.BySearch = true
	} else {
		sources, used, err := u.found(ctx, t, knowledge, write)
		if err != nil {
			return domain.Reply{Usage: used}, err
		}
		if len(sources) == 0 && knowledge.Refuse {
			began()
			write(knowledge.NoFound)
			return domain.Reply{Content: knowledge.NoFound, FinishReason: domain.FinishStop, Usage: used}, nil
		}
		if usage = used; usage.ChargedMicros != nil {
			prompt.ChargedMicros = *usage.ChargedMicros
		}
		answer.reader = domain.NewCitationReader(sources)
		prompt.Found = ports.Found{Sources: sources, Boundary: rand.Text()}
	}
	if prompt.OutputSchema != nil {
		return u.output(ctx, prompt, tools, usage, write, began)
	}
	prompt.Found.Locate = answer.reader.Locate
	reply, err := u.reply(ctx, prompt, tools, func(text string) {
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

// found searches the knowledge bases of a turn's bot for its message.
func (u AskModel) found(ctx context.Context, t domain.Turn, s domain.KnowledgeSettings, write func(chunk string)) ([]domain.Source, domain.Usage, error) {
	found, usage, err := u.Retrieve.Do(ctx, t, s)
	if err != nil {
		return nil, usage, err
	}
	u.Retrieve.reach("retrieved")
	return domain.Given(found), usage, writeEvent(write, domain.EventRetrieved, summaryOf(found))
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
		ThreadID: t.ThreadID, Seq: t.User.Seq, Path: t.Path, Pinned: t.Request.Instructed(t.Pinned.Filled(t.Variables)), Defaults: t.Defaults,
		Content: t.User.Content, Request: t.Request, OutputSchema: t.Pinned.OutputSchema(), Attached: t.User.Attachments,
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
