package rest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/access"
	"github.com/parley/parley/platform/audit"
	"github.com/parley/parley/platform/call"
	"github.com/parley/parley/platform/command"
)

// TakeTurn implements the call.
func (s Server) TakeTurn(ctx context.Context, r TakeTurnRequestObject) (TakeTurnResponseObject, error) {
	c := call.From(ctx)
	said := usecases.Said{ThreadID: r.ThreadID, ActorID: c.Principal.UserID, OperationID: c.Operation.ID, Content: r.Body.Content}
	turn, err := s.Turn.Prepare(said)
	if err != nil {
		return nil, err
	}
	waits := r.Body.OnBusy != nil && *r.Body.OnBusy == Enqueue
	run := func(long command.Long) (command.Answer, error) {
		if waits {
			return s.queueUp(ctx, said, &turn, long)
		}
		return s.tryForThread(ctx, r.ThreadID, long)
	}
	if wantsStream(ctx) {
		from, err := positionOfOperation(ctx, r.Params.LastEventID, r.Params.LastEventIDQuery)
		if err != nil {
			return nil, err
		}
		return s.stream(ctx, &turn, from, func(started func()) (command.Answer, error) {
			return run(s.steps(&turn, true, started))
		}, s.Records.OfOperation), nil
	}
	answer, err := s.whileAllowed(ctx, func() (command.Answer, error) { return run(s.Steps(&turn)) })
	return stored{answer}, err
}

// whileAllowed takes a turn, and withholds its answer from a caller whose right has ended meanwhile: then it returns an
// *access.End. The turn is stored all the same.
func (s Server) whileAllowed(ctx context.Context, take func() (command.Answer, error)) (command.Answer, error) {
	watched, stop := s.Access.Watch(ctx)
	defer stop()
	answer, err := take()
	if end := access.EndOf(watched, nil); end != nil && err == nil {
		return command.Answer{}, end
	}
	return answer, err
}

// tryForThread runs a turn, where no other runs in its thread.
func (s Server) tryForThread(ctx context.Context, thread uuid.UUID, long command.Long) (command.Answer, error) {
	for range busyTries {
		answer, err := s.Commands.RunLong(ctx, long)
		if !errors.Is(err, ports.ErrThreadBusy) {
			return answer, err
		}
		if err := s.Turn.Unblock(ctx, thread); err != nil {
			return command.Answer{}, err
		}
	}
	return command.Answer{}, ports.ErrThreadBusy
}

// busyTries is how often a call tries for a thread whose turns end as soon as it asks which one is in its way: a refusal
// names that turn.
const busyTries = 50

// queueUp runs a turn when those before it in its thread have ended. It holds nothing while it waits. The thread is read
// first, which also checks the caller's permission: who may not take a turn in it gets the answer for an unknown thread, or
// 403, and neither waits nor learns whether the queue is full.
func (s Server) queueUp(ctx context.Context, said usecases.Said, turn *domain.Turn, long command.Long) (command.Answer, error) {
	if _, err := s.Threads.Get(ctx, said.ThreadID); err != nil {
		return command.Answer{}, err
	}
	place, err := s.Room.Enter(ctx, said.ThreadID)
	if err != nil {
		return command.Answer{}, err
	}
	defer place.Leave()
	waiting := ctx
	if end, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		waiting, cancel = context.WithDeadline(ctx, end.Add(-lastTry))
		defer cancel()
	}
	busy := error(ports.ErrThreadBusy)
	for place.Wait(waiting) == nil {
		if *turn, err = s.Turn.Prepare(said); err != nil { // its time begins now
			return command.Answer{}, err
		}
		long.Audit.Changes = map[string]any{"turn_id": turn.ID}
		answer, err := s.tryForThread(ctx, said.ThreadID, long)
		if !errors.Is(err, ports.ErrThreadBusy) {
			return answer, err
		}
		busy = err
	}
	return command.Answer{}, busy
}

// lastTry is what is left of a request's time when it no longer waits: enough to begin a turn, or to be told that it cannot.
const lastTry = 500 * time.Millisecond

// Steps are what the command pipeline runs of a turn: two transactions, and the model's call between them.
func (s Server) Steps(turn *domain.Turn) command.Long { return s.steps(turn, false, func() {}) }

// steps are Steps of a turn that may be streamed. Started is called when the turn is stored and its model is asked.
func (s Server) steps(turn *domain.Turn, streamed bool, started func()) command.Long {
	var reply domain.Reply
	var voice ports.Voice
	return command.Long{
		Audit: audit.Entry{
			Action: "turn.create", Resource: "thread", ResourceID: turn.ThreadID, Changes: map[string]any{"turn_id": turn.ID},
		},
		Seen:   streamed,
		Bound:  s.Bound,
		Begin:  func(ctx context.Context) error { return s.Turn.Begin(ctx, turn) },
		Resume: func(ctx context.Context) error { return s.Turn.Resume(ctx, turn) },
		Work: func(ctx context.Context) (err error) {
			if turn.Done != nil {
				return nil
			}
			if !streamed && turn.Attempt > 1 { // whoever reads the stream of an earlier attempt wants this one's
				if streamed, err = s.Pieces.Any(ctx, turn.ID); err != nil {
					return err
				}
			}
			ctx, voice = s.Live.Begin(ctx, *turn, streamed)
			defer voice.Close()
			started()
			if err = context.Cause(ctx); err == nil {
				reply, err = s.Turn.Ask(ctx, *turn, voice.Say)
			}
			switch cause := context.Cause(ctx); {
			case err != nil && errors.Is(cause, ports.ErrCancel):
				return ports.ErrTurnCancelled.With("turn_id", turn.ID).Because(ports.ErrCancel)
			case err != nil && errors.Is(cause, ports.ErrCut):
				return command.ErrInProgress.Because(ports.ErrCut)
			}
			return err
		},
		Finish: func(ctx context.Context) (command.Encoder, error) {
			if turn.Done != nil {
				return TakeTurn200JSONResponse(toTurn(*turn, *turn.Done, turn.DoneBy)).VisitTakeTurnResponse, nil
			}
			if err := voice.Rest(ctx); err != nil {
				return nil, err
			}
			message, err := s.Turn.Complete(ctx, *turn, reply)
			return TakeTurn200JSONResponse(toTurn(*turn, message, reply)).VisitTakeTurnResponse, err
		},
		Fail: func(ctx context.Context, cause error) error {
			if voice == nil {
				return s.Turn.Fail(ctx, *turn, reply, cause)
			}
			if err := voice.Rest(ctx); err != nil {
				return err
			}
			if errors.Is(cause, ports.ErrCancel) {
				return s.Cancel.Cancels.Cancel(ctx, *turn, turn.Partial([]string{voice.Said()}, s.Turn.Now()), reply)
			}
			if errors.Is(cause, ports.ErrCut) {
				return s.Turn.Cut(ctx, *turn, reply)
			}
			return s.Turn.Fail(ctx, *turn, reply, cause)
		},
		Ended: func() {
			if voice != nil {
				voice.End()
			}
		},
	}
}
