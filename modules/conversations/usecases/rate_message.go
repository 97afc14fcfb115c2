package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// RateMessage stores the feedback of a user on an answer.
type RateMessage struct {
	Messages ports.Messages
	Now      func() time.Time
}

// Do stores the feedback and replaces the user's earlier one.
func (u RateMessage) Do(ctx context.Context, message, user uuid.UUID, rating domain.Rating, comment string) (domain.Message, error) {
	feedback, err := domain.NewFeedback(rating, comment, u.Now())
	switch {
	case errors.Is(err, domain.ErrRating):
		return domain.Message{}, fail.Fields(fail.Field{Field: "rating", Code: "INVALID", Message: err.Error()})
	case err != nil:
		return domain.Message{}, fail.Fields(fail.Field{Field: "comment", Code: "INVALID", Message: err.Error()})
	}
	return u.Messages.Rate(ctx, domain.Opinion{MessageID: message, UserID: user, Feedback: feedback})
}
