package rest

import (
	"context"

	"github.com/parley/parley/platform/ops/audit"
	"github.com/parley/parley/platform/request/command"
)

// DeleteThread deletes a thread with everything that was said in it.
func (s Server) DeleteThread(ctx context.Context, r DeleteThreadRequestObject) (DeleteThreadResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		return command.Outcome{
			Answer: DeleteThread204Response{}.VisitDeleteThreadResponse,
			Audit:  audit.Entry{Action: "thread.delete", Resource: "thread", ResourceID: r.ThreadID},
		}, s.Delete.Do(ctx, r.ThreadID)
	})
	return stored{answer}, err
}

// DeleteMessage erases a message.
func (s Server) DeleteMessage(ctx context.Context, r DeleteMessageRequestObject) (DeleteMessageResponseObject, error) {
	answer, err := s.Commands.Run(ctx, func(ctx context.Context) (command.Outcome, error) {
		thread, err := s.DeleteMsg.Do(ctx, r.MessageID)
		return command.Outcome{
			Answer: DeleteMessage204Response{}.VisitDeleteMessageResponse,
			Audit: audit.Entry{
				Action: "message.delete", Resource: "message", ResourceID: r.MessageID, Changes: map[string]any{"thread_id": thread},
			},
		}, err
	})
	return stored{answer}, err
}
