package usecases

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ChangeThread changes the labels of a thread, archives it or makes it active again.
type ChangeThread struct{ Threads ports.Threads }

// Do changes the fields that are not nil. A running turn continues to its end, even if the thread is archived.
func (u ChangeThread) Do(ctx context.Context, id uuid.UUID, c ports.ThreadChanges) (domain.Thread, error) {
	var wrong error
	if c.Title != nil {
		wrong = domain.CheckTitle(*c.Title)
	}
	if c.Metadata != nil {
		wrong = errors.Join(wrong, domain.CheckMetadata(c.Metadata))
	}
	if wrong != nil {
		return domain.Thread{}, wrongLabel(wrong)
	}
	if err := checkVariables(c.Variables); err != nil {
		return domain.Thread{}, err
	}
	return u.Threads.Change(ctx, id, c)
}

// wrongLabel returns an error that names every wrong field of a label.
func wrongLabel(err error) error {
	var wrong []fail.Field
	for field, rule := range map[string]error{"title": domain.ErrTitle, "metadata": domain.ErrMetadata} {
		if errors.Is(err, rule) {
			wrong = append(wrong, fail.Field{Field: field, Code: "INVALID", Message: rule.Error()})
		}
	}
	return fail.Fields(wrong...)
}
