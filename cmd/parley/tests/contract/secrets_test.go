package contract

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestTheSuiteWouldSeeASecretInALog(t *testing.T) {
	t.Parallel()
	s := &harness.Secrets{}
	s.Hear("Bearer the-access-token", []byte(`{"password":"correct horse","name":"a name that is none","items":[{"content":"say \"this\" to me"}]}`), nil)
	for _, leak := range []string{"the-access-token", "correct horse", `say "this" to me`, `say \"this\" to me`} {
		require.Len(t, s.Found("x "+leak+" y"), 1, leak)
	}
	require.Empty(t, s.Found("a name that is none"))
}
