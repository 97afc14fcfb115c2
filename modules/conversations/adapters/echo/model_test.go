package echo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/echo"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

func TestTheEchoModelCallsToolsAndRepeatsTheirResults(t *testing.T) {
	t.Parallel()
	tools := []domain.OfferedTool{{Name: "weather"}, {Name: "book"}}
	for message, want := range map[string][]string{
		`call weather {"city": "Paris"}`:                            {`call_1 weather {"city": "Paris"}`},
		"Please\n call book {\"a\":1} \ncall weather\ncall no {}\n": {`call_1 book {"a":1}`, `call_2 weather {}`},
		"call weather {oops":                                        {`call_1 weather "{oops"`},
		"call nothing {}":                                           nil,
		"recall weather {}":                                         nil,
		"callweather {}":                                            nil,
		"call":                                                      nil,
		strings.Repeat("call book\n", 100):                          repeated("call_%d book {}", 64),
	} {
		p := ports.Prompt{Content: message, Tools: tools}
		var said strings.Builder
		say := func(text string) { said.WriteString(text) }
		reply, err := echo.Model{}.Reply(t.Context(), p, say)
		require.NoError(t, err)
		var calls []string
		for _, c := range reply.Calls {
			calls = append(calls, fmt.Sprintf("%s %s %s", c.ID, c.Name, c.Arguments))
		}
		require.Equal(t, want, calls, message)
		if want == nil {
			require.Equal(t, "Echo: "+message, reply.Content)
			require.Equal(t, domain.FinishStop, reply.FinishReason)
			continue
		}
		require.Empty(t, reply.Content+said.String())
		require.Equal(t, domain.FinishTools, reply.FinishReason)

		p.ToolChoice = domain.ToolsNone
		reply, err = echo.Model{}.Reply(t.Context(), p, say)
		require.NoError(t, err)
		require.Equal(t, "Echo: "+message, reply.Content)

		said.Reset()
		p.ToolChoice = domain.ToolsAuto
		p.Steps = []domain.Step{
			{Calls: reply.Calls, Results: []domain.ToolResult{{Text: "18 °C"}, {Text: "it failed", Failed: true}}}, {Results: []domain.ToolResult{{Text: "booked"}}},
		}
		reply, err = echo.Model{}.Reply(t.Context(), p, say)
		require.NoError(t, err)
		require.Equal(t, "Echo: 18 °C\nit failed\nbooked", reply.Content)
		require.Equal(t, reply.Content, said.String())
		require.Empty(t, reply.Calls)
	}
}

func repeated(format string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i+1))
	}
	return all
}
