package modeltest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/webhook"
)

// asking gives the adapter for an API, which waits so long for the rest of an answer whose end is told.
func asking(api string, s *modeltest.Server, wait time.Duration) ports.Model {
	if api == "anthropic" {
		return anthropic.Model{Key: key, URL: s.URL, Client: webhook.NewTrustedStreamClient(), EndWait: wait}
	}
	return openai.Model{Key: key, URL: s.URL + "/v1", Client: webhook.NewTrustedStreamClient(), EndWait: wait}
}

func TestEveryRecordedFormatIsRead(t *testing.T) {
	t.Parallel()
	for name, format := range modeltest.Formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			s := modeltest.New(t, modeltest.Script{Format: name})
			reply, err := asking(format.API, s, 50*time.Millisecond).Reply(t.Context(), withTools(), func(text string) {
				require.NotEmpty(t, text)
				said.WriteString(text)
			})
			require.Len(t, s.Calls(), 1, "asked again")
			require.Equal(t, format.Want.Usage, counts(reply))
			if format.Want.Fails || format.Want.Err != nil {
				require.Error(t, err, "got %q", reply.Content)
				require.Empty(t, reply.Content)
				require.Empty(t, reply.Calls)
				require.Equal(t, format.Want.Err != nil, ports.PermanentModelFailure(err), "%v", err)
				require.Equal(t, format.Want.Wait, fail.From(err).RetryAfter)
				require.NotContains(t, err.Error(), key)
			}
			if format.Want.Err != nil {
				require.ErrorIs(t, err, format.Want.Err)
				require.Empty(t, said.String(), "text of an answer that has none")
				require.True(t, reply.Begun, "the provider charges for it")
				message, _ := fail.From(err).Details["provider_message"].(string)
				require.Equal(t, format.Want.Message, message)
			}
			if format.Want.Fails || format.Want.Err != nil {
				return
			}
			require.NoError(t, err)
			require.Equal(t, format.Want.Calls, shown(reply.Calls))
			require.Equal(t, format.Want.Text, reply.Content)
			require.Equal(t, format.Want.Text, said.String())
			require.Equal(t, format.Want.Finish, reply.FinishReason)
		})
	}
}

// counts are the tokens of a reply: input, cached and output; nil: none was told.
func counts(r domain.Reply) []int {
	if r.InputTokens == nil && r.CachedTokens == nil && r.OutputTokens == nil {
		return nil
	}
	all := make([]int, 3)
	for i, n := range []*int{r.InputTokens, r.CachedTokens, r.OutputTokens} {
		if n != nil {
			all[i] = *n
		}
	}
	return all
}

func TestAnAnswerWhoseEndAndUsageAreToldEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openai-open-after-usage", "cr-open"} {
		s := modeltest.New(t, modeltest.Script{Format: name})
		reply, err := asking("openai", s, time.Hour).Reply(t.Context(), hi, func(string) {})
		require.NoError(t, err)
		require.Equal(t, "Hello there", reply.Content)
		<-s.Gone()
	}
}

func TestTheRestOfAnAnswerIsAwaitedForAShortTime(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openai-open-no-usage", "anthropic-open"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := modeltest.New(t, modeltest.Script{Format: name})
			reply, err := asking(modeltest.Formats()[name].API, s, 0).Reply(t.Context(), hi, func(string) {})
			require.NoError(t, err)
			require.Equal(t, "Hello there", reply.Content)
			<-s.Gone()
		})
	}
}
