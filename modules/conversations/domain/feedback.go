package domain

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Rating is a user's rating of an answer.
type Rating string

// The ratings.
const (
	Good Rating = "good"
	Bad  Rating = "bad"
)

const maxComment = 2000

// Feedback is a user's feedback on an answer.
type Feedback struct {
	Rating  Rating
	Comment string
	At      time.Time // when it was last changed
}

// Errors of NewFeedback.
var (
	ErrRating  = errors.New("must be good or bad")
	errComment = errors.New("must have at most 2000 characters")
)

// NewFeedback checks a rating and a comment; the error is ErrRating or errComment.
func NewFeedback(rating Rating, comment string, now time.Time) (Feedback, error) {
	if rating != Good && rating != Bad {
		return Feedback{}, ErrRating
	}
	if utf8.RuneCountInString(comment) > maxComment {
		return Feedback{}, errComment
	}
	return Feedback{Rating: rating, Comment: comment, At: now}, nil
}

// Opinion is a feedback with its user and the message that it is about.
type Opinion struct {
	MessageID, UserID uuid.UUID
	Feedback
}
