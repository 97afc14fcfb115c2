package fail_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/request/fail"
)

var errShared = fail.New(fail.Conflict, "THREAD_BUSY", "busy")

func TestASharedErrorIsNotChangedByItsCopies(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	first := errShared.With("a", 1)
	second := first.With("b", 2).After(time.Second).Because(cause)
	require.Equal(t, map[string]any{"a": 1}, first.Details)
	require.Equal(t, map[string]any{"a": 1, "b": 2}, second.Details)
	require.Equal(t, &fail.Error{Kind: fail.Conflict, Code: "THREAD_BUSY", Message: "busy"}, errShared)
	require.ErrorIs(t, second, cause)
	require.ErrorIs(t, fmt.Errorf("wrapped: %w", second), errShared)
	require.NotErrorIs(t, errShared, fail.ErrInternal)
	require.NotErrorIs(t, second, fail.New(fail.Conflict, "THREAD_BUSY", "another with this code"))
	require.Equal(t, "THREAD_BUSY: busy: the cause", second.Error())
}

func TestAnErrorSaysItsCodeOnceWhereItsCauseHasTheSame(t *testing.T) {
	t.Parallel()
	for want, cause := range map[string]error{
		"THREAD_BUSY: busy":             errShared,
		"THREAD_BUSY: busy: the cause":  errShared.Because(errors.New("the cause")),
		"THREAD_BUSY: busy: a turn has": fail.New(fail.Conflict, "THREAD_BUSY", "a turn has"),
		"THREAD_BUSY: busy: busybody":   fail.New(fail.Conflict, "THREAD_BUSY", "busybody"),
		"THREAD_BUSY: busy: GONE: away": fail.New(fail.NotFound, "GONE", "away"),
	} {
		e := errShared.Because(cause)
		require.Equal(t, want, e.Error())
		require.ErrorIs(t, e, cause)
	}
}

func TestWhatIsNoErrorOfOursIsInternalAndHidden(t *testing.T) {
	t.Parallel()
	cause := errors.New("password=hunter2")
	e := fail.From(cause)
	require.Equal(t, "INTERNAL_ERROR", e.Code)
	require.NotContains(t, e.Message, "hunter2")
	require.ErrorIs(t, e, cause)
	require.Same(t, errShared, fail.From(fmt.Errorf("wrapped: %w", errShared)))
}

func TestWrongFieldsAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	require.NoError(t, fail.Fields())
	wrong := []fail.Field{{Field: "email", Code: "REQUIRED", Message: "is required"}, {Field: "password", Code: "TOO_SHORT", Message: "is short"}}
	err := fail.Fields(wrong...)
	require.ErrorIs(t, err, fail.ErrValidation)
	require.Equal(t, map[string]any{"errors": wrong}, fail.From(err).Details)
	require.Equal(t, "email is required; password is short", fail.From(err).Message)
	require.Nil(t, fail.ErrValidation.Details)
}
