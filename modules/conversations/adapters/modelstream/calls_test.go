package modelstream_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modelstream"
	"github.com/parley/parley/modules/conversations/domain"
)

// readCalls reads an answer whose events are lists of parts of calls in JSON.
func readCalls(t *testing.T, events ...string) []string {
	t.Helper()
	reply, err := modelstream.Read(modelstream.Source{
		Body: strings.NewReader("data: " + strings.Join(events, "\n\ndata: ") + "\n\ndata: [DONE]\n\n"), Stop: func() {}, Tools: true,
		Decode: func(_ string, data []byte) (part modelstream.Part, err error) {
			return part, json.Unmarshal(data, &part.Calls)
		},
	}, func(string) {})
	require.NoError(t, err)
	require.Equal(t, domain.FinishTools, reply.FinishReason)
	var calls []string
	for _, c := range reply.Calls {
		calls = append(calls, fmt.Sprintf("%s %s %s", c.ID, c.Name, c.Arguments))
	}
	return calls
}

func TestPartsOfCallsAreToldApart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events []string
		want   []string
	}{
		"two of one tool in one event, without anything": {[]string{`[{"Name":"now"},{"Name":"now","Fresh":true}]`}, []string{"call_1 now {}", "call_2 now {}"}},
		"the name comes after the id":                    {[]string{`[{"Index":0,"ID":"a"}]`, `[{"Index":0,"Name":"now"}]`}, []string{"a now {}"}},
		"the id comes last":                              {[]string{`[{"Name":"now","Arguments":"{}"}]`, `[{"ID":"a"}]`}, []string{"a now {}"}},
		"arguments by id, mixed": {
			[]string{`[{"ID":"a","Name":"now"}]`, `[{"ID":"b","Name":"now"}]`, `[{"ID":"a","Arguments":"{\"x\":1}"}]`, `[{"ID":"b","Arguments":"{}"}]`},
			[]string{`a now {"x":1}`, "b now {}"},
		},
		"the index is missing later":          {[]string{`[{"Index":0,"ID":"a","Name":"now"}]`, `[{"Arguments":"{\"x\":"}]`, `[{"Arguments":"1}"}]`}, []string{`a now {"x":1}`}},
		"the index is another one later":      {[]string{`[{"ID":"a","Name":"now"}]`, `[{"Index":0,"Arguments":"{\"x\":1}"}]`}, []string{`a now {"x":1}`}},
		"the name is repeated":                {[]string{`[{"Index":0,"Name":"now","Arguments":"{\"x\":"}]`, `[{"Index":0,"Name":"now","Arguments":"1}"}]`}, []string{`call_1 now {"x":1}`}},
		"an id that was used":                 {[]string{`[{"Index":0,"ID":"call_2","Name":"a"}]`, `[{"Index":1,"ID":"call_2","Name":"b"}]`}, []string{"call_2 a {}", "call_3 b {}"}},
		"an id that is far too long":          {[]string{`[{"Index":0,"ID":"` + strings.Repeat("x", 1000) + `","Name":"a"}]`}, []string{"call_1 a {}"}},
		"a name that is far too long":         {[]string{`[{"Index":0,"ID":"a","Name":"` + strings.Repeat("x", 1000) + `"}]`}, []string{"a " + strings.Repeat("x", 200) + " {}"}},
		"whole calls of one tool with one id": {[]string{`[{"Index":0,"ID":"a","Name":"now","Arguments":"{}"}]`, `[{"Index":1,"ID":"a","Name":"now","Arguments":"{}"}]`}, []string{"a now {}", "call_2 now {}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, readCalls(t, test.events...))
		})
	}
}

// A server may send its arguments a byte at a time, with the name each time.
func TestTheTimeForACallGrowsWithItsLength(t *testing.T) {
	t.Parallel()
	events := []string{`[{"Name":"now","Arguments":"{\"x\":\""}]`}
	for range domain.MaxArguments - 10 {
		events = append(events, `[{"Name":"now","Arguments":"}"}]`)
	}
	start := time.Now()
	require.Len(t, readCalls(t, append(events, `[{"Name":"now","Arguments":"\"}"}]`)...), 1)
	require.Less(t, time.Since(start), 20*time.Second)
}
