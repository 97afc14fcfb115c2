// Package operations runs turns in the command pipeline, so that a repeated call takes effect only once.
package operations

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/command"
)

var _ ports.Operations = Operations{}

// Operations runs turns. It is safe for concurrent use.
type Operations struct {
	Pipeline *command.Pipeline
	Bound    command.Bound // of the turns that run at once; callers wait a little for a slot
	Nowait   command.Bound // the same for operations that do not wait
	// The stored forms of answers.
	EncodeCompleted func(domain.CompletedTurn) command.Encoder
	EncodeTurn      func(domain.TurnView) command.Encoder
}

// Run runs a turn in two transactions, as a command.Long.
func (o Operations) Run(ctx context.Context, op ports.Operation) (ports.Answer, error) {
	var turn uuid.UUID
	a, err := o.Pipeline.RunLong(ctx, o.long(op, &turn))
	if err != nil {
		return ports.Answer{}, err
	}
	return toAnswer(a, turn)
}

// Recover resumes a turn whose process has not finished it.
func (o Operations) Recover(ctx context.Context, op ports.Operation) error {
	return o.Pipeline.Recover(ctx, o.long(op, new(uuid.UUID)))
}

// RunOnce runs a step in one transaction.
func (o Operations) RunOnce(ctx context.Context, record ports.AuditRecord, step func(ctx context.Context) (domain.TurnView, error)) (ports.Answer, error) {
	a, err := o.Pipeline.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		turn, err := step(ctx)
		return command.Outcome{Answer: o.EncodeTurn(turn), Audit: entry(record), Erasable: true}, err
	})
	return ports.Answer{TurnID: record.Turn, Body: a.Body, Replayed: a.Replayed}, err
}

// Find returns the stored answer of the caller's operation, if there is one.
func (o Operations) Find(ctx context.Context) (answer ports.Answer, found bool, err error) {
	a, found, err := o.Pipeline.Seen(ctx)
	if err != nil || !found {
		return ports.Answer{}, false, err
	}
	answer, err = toAnswer(a, uuid.Nil)
	return answer, err == nil, err
}

// long is an operation as the pipeline runs it. Turn is set to the turn that is finished.
func (o Operations) long(op ports.Operation, turn *uuid.UUID) command.Long {
	long := command.Long{
		Erasable: true,
		Audit:    entry(op.Audit), Seen: op.Streamed, Wide: op.Wide, Bound: o.Bound,
		Begin: op.Begin, Resume: op.Resume, Work: op.Work, Fail: op.Fail, Ended: op.Ended,
		Finish: func(ctx context.Context) (command.Encoder, error) {
			done, err := op.Finish(ctx)
			*turn = done.Turn.ID
			return o.EncodeCompleted(done), err
		},
	}
	if op.NoWait {
		long.Bound = o.Nowait
	}
	return long
}

// toAnswer returns the answer of an operation that took a turn. A replayed answer has the id of its turn only in its
// body.
func toAnswer(a command.Answer, turn uuid.UUID) (ports.Answer, error) {
	if a.Replayed {
		var body struct {
			TurnID uuid.UUID `json:"turn_id"`
		}
		if err := json.Unmarshal(a.Body, &body); err != nil {
			return ports.Answer{}, fmt.Errorf("read the stored answer: %w", err)
		}
		turn = body.TurnID
	}
	return ports.Answer{TurnID: turn, Body: a.Body, Replayed: a.Replayed}, nil
}

func entry(r ports.AuditRecord) audit.Entry {
	return audit.Entry{Action: r.Action, Resource: "thread", ResourceID: r.Thread, Changes: map[string]any{"turn_id": r.Turn}}
}
