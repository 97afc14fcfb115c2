package usecases

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// maxOutputTries is how often a model is asked for an answer that matches the schema of its bot.
const maxOutputTries = 2

// output calls the model of a bot that declares a schema for its answers. The answer is written when it matches the schema; one that does
// not is asked for again, once. Sources are a part of the message: such an answer cites nothing.
func (u AskModel) output(ctx context.Context, prompt ports.Prompt, tools *toolTurn, usage domain.Usage, write func(chunk string), began func()) (domain.Reply, error) {
	if found := prompt.Found; len(found.Sources) > 0 {
		prompt.SourceBoundary = rand.Text()
		prompt.Content = domain.SourceText(found.Sources, prompt.SourceBoundary) + "\n\n" + prompt.Content
	}
	prompt.Found = ports.Found{BySearch: prompt.Found.BySearch}
	for try := 1; ; try++ {
		reply, err := u.reply(ctx, prompt, tools, func(string) { began() })
		usage = usage.Plus(reply.Usage)
		reply.Usage = usage
		if err != nil {
			return reply, err
		}
		object, problem, err := u.check(prompt.OutputSchema, reply)
		if err == nil && problem == "" {
			reply.Content, reply.Structured = object, true
			write(object)
			return reply, nil
		}
		answer := reply.Content
		reply.Content = ""
		if err == nil && try == maxOutputTries {
			err = ports.ErrOutputInvalid.With("problem", problem)
		}
		if err != nil {
			return reply, err
		}
		if usage.ChargedMicros != nil {
			prompt.ChargedMicros = *usage.ChargedMicros
		}
		prompt.Steps = append(prompt.Steps, domain.Step{Text: answer, Correction: domain.OutputCorrection(problem)})
	}
}

// check returns the object of an answer, and what is wrong with it; empty: it matches the schema.
func (u AskModel) check(schema json.RawMessage, reply domain.Reply) (object, problem string, err error) {
	raw := domain.OutputOf(domain.Storable(reply.Content))
	switch {
	case raw == nil && reply.FinishReason == domain.FinishLength:
		return "", "The JSON object is not complete: it was too long.", nil
	case raw == nil:
		return "", "It is not one JSON object.", nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "", "It is not one JSON object.", nil //nolint:nilerr // the model receives it
	}
	problem, err = u.Schemas.Validate(schema, compact.Bytes())
	return compact.String(), problem, err
}
