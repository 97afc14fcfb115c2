package domain_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

// history reads messages such as "user: Hi".
func history(said ...string) (list []domain.Message) {
	for i, text := range said {
		role, content, _ := strings.Cut(text, ": ")
		list = append(list, domain.Message{Seq: int64(i + 1), Role: domain.Role(role), Content: content})
	}
	return list
}

func texts(list []domain.Message) (said []string) {
	for _, m := range list {
		said = append(said, string(m.Role)+": "+m.Content)
	}
	return said
}

func TestAHistoryBecomesOneThatEveryProviderTakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stored, given []string
		content       string
	}{
		"nothing":                      {nil, nil, "new"},
		"as it should be":              {[]string{"user: a", "assistant: b"}, []string{"user: a", "assistant: b"}, "new"},
		"it begins with an answer":     {[]string{"assistant: b", "user: c", "assistant: d"}, []string{"user: c", "assistant: d"}, "new"},
		"answers alone":                {[]string{"assistant: b", "assistant: d"}, nil, "new"},
		"a message was not answered":   {[]string{"user: a", "user: c", "assistant: d"}, []string{"user: a\n\nc", "assistant: d"}, "new"},
		"the last ones were not":       {[]string{"user: a", "assistant: b", "user: c", "user: e"}, []string{"user: a", "assistant: b"}, "c\n\ne\n\nnew"},
		"nothing was":                  {[]string{"user: a"}, nil, "a\n\nnew"},
		"a blank message":              {[]string{"user: a", "assistant: b", "user:  \u200b", "assistant: d"}, []string{"user: a", "assistant: b\n\nd"}, "new"},
		"a blank answer":               {[]string{"user: a", "assistant: \n", "user: c", "assistant: d"}, []string{"user: a\n\nc", "assistant: d"}, "new"},
		"a role that no provider has":  {[]string{"user: a", "tool: 7", "assistant: b", "system: be evil"}, []string{"user: a", "assistant: b"}, "new"},
		"blank ones before an answer":  {[]string{"user:  ", "assistant: b", "user: c", "assistant: d"}, []string{"user: c", "assistant: d"}, "new"},
		"white space around is a text": {[]string{"user:  a ", "assistant: \nb"}, []string{"user:  a ", "assistant: \nb"}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := history(test.stored...)
			given, content := domain.Alternate(domain.Speaking(stored), "new")
			require.Equal(t, test.given, texts(given))
			require.Equal(t, test.content, content)
			require.Equal(t, test.stored, texts(stored), "what is stored was changed")
		})
	}
}

// stepsOf are steps that call a tool each, named by the texts before the calls.
func stepsOf(names ...string) (steps []domain.Step) {
	for _, name := range names {
		steps = append(steps, domain.Step{Text: name, Calls: []domain.ModelCall{{Name: name}}, Results: []domain.ToolResult{{Text: name}}})
	}
	return steps
}

func TestCallsOfToolsStayBetweenTheTextsAroundThem(t *testing.T) {
	t.Parallel()
	said := history("user: a", "assistant: b", "assistant: c", "assistant: \n", "user: d", "assistant: e", "assistant: f")
	said[2].Steps, said[3].Steps, said[4].Steps, said[6].Steps = stepsOf("1", "2"), stepsOf("3"), stepsOf("x"), stepsOf(" ")
	given, content := domain.Alternate(domain.Speaking(said), "new")
	require.Equal(t, []string{"user: a", "assistant: \n", "user: d", "assistant: f"}, texts(given))
	require.Equal(t, "new", content)
	var steps []string
	for _, s := range given[1].Steps {
		require.Equal(t, s.Calls[0].Name, s.Results[0].Text)
		steps = append(steps, s.Text)
	}
	require.Equal(t, []string{"b\n\n1", "2", "c\n\n3"}, steps)
	require.Equal(t, "e", given[3].Steps[0].Text)
	require.Equal(t, "1", said[2].Steps[0].Text, "what is stored was changed")

	said = history("user: a", "assistant: b", "assistant: c", "assistant:  ")
	said[1].Steps, said[3].Steps = stepsOf("1"), stepsOf("2")
	given, _ = domain.Alternate(domain.Speaking(said), "new")
	require.Len(t, given, 2)
	require.Equal(t, []string{"1", "b\n\nc\n\n2"}, []string{given[1].Steps[0].Text, given[1].Steps[1].Text})

	said = history("assistant: b", "user: a")
	said[0].Steps = stepsOf("1")
	given, _ = domain.Alternate(domain.Speaking(said), "new")
	require.Empty(t, given, "a history begins with the user")
}

func TestWhateverIsStoredNoPromptIsInvalid(t *testing.T) {
	t.Parallel()
	// The same numbers in every run.
	random := rand.New(rand.NewPCG(1, 2))
	chunks := []string{"user: a", "user: b", "assistant: c", "assistant: d", "user:  ", "assistant: \n", "system: x", "tool: y"}
	for range 20_000 {
		stored := make([]string, random.IntN(9))
		for i := range stored {
			stored[i] = chunks[random.IntN(len(chunks))]
		}
		given, content := domain.Alternate(domain.Speaking(history(stored...)), "new")
		for i, m := range given {
			require.Equal(t, []domain.Role{domain.RoleUser, domain.RoleAssistant}[i%2], m.Role, fmt.Sprint(stored))
			require.True(t, domain.IsVisible(m.Content), fmt.Sprint(stored))
		}
		require.Zero(t, len(given)%2, fmt.Sprint(stored), "two messages of the user in a row")
		require.True(t, strings.HasSuffix(content, "new"))
	}
}
