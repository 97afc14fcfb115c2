package modelstream_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modelstream"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// read reads a body whose events are texts; END:reason tells the end of the answer.
func read(body string) (reply domain.Reply, events []string, err error) {
	reply, err = modelstream.Read(modelstream.Source{
		Body: strings.NewReader(body), Stop: func() {},
		Decode: func(kind string, data []byte) (modelstream.Part, error) {
			events = append(events, kind+"|"+string(data))
			return decodeText(kind, data)
		},
	}, func(string) {})
	return reply, events, err
}

func decodeText(_ string, data []byte) (modelstream.Part, error) {
	if reason, ok := strings.CutPrefix(string(data), "END:"); ok {
		return modelstream.Part{Reason: reason}, nil
	}
	return modelstream.Part{Text: strings.TrimPrefix(string(data), "+")}, nil
}

func TestEventsAreReadAsTheSpecificationHasThem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want []string
	}{
		"LF":                {"data: a\n\nevent: x\ndata: b\n\n", []string{"|a", "x|b"}},
		"CRLF":              {"data: a\r\n\r\nevent: x\r\ndata: b\r\n\r\n", []string{"|a", "x|b"}},
		"CR":                {"data: a\r\revent: x\rdata: b\r\r", []string{"|a", "x|b"}},
		"all of them":       {"data: a\r\n\ndata: b\n\rdata: c\r\r\n", []string{"|a", "|b", "|c"}},
		"several lines":     {"data: a\ndata:\ndata:  b\n\n", []string{"|a\n\n b"}},
		"comments":          {": a\n:\n\ndata: a\n: b\ndata: c\n\n", []string{"|a\nc"}},
		"other fields":      {"id: 1\nretry: 5\nother\nerror: {}\ndata: a\n\n", []string{"|a"}},
		"a name alone":      {"event: ping\n\ndata: a\n\n", []string{"|a"}},
		"no end":            {"data: a\n\ndata: b", []string{"|a", "|b"}},
		"nothing":           {"", nil},
		"blank lines":       {"\n\n\r\n \ndata: a\n\n", []string{"|a"}},
		"empty data":        {"data:\n\ndata\n\ndata: a\n\n", []string{"|a"}},
		"after [DONE]":      {"data: a\n\ndata: [DONE]\n\ndata: b\n\n", []string{"|a"}},
		"a document":        {"\n{\"a\":\n1}\n", []string{"|{\"a\":\n1}"}},
		"documents":         {"{}\n{\"b\":2}", []string{"|{}", "|{\"b\":2}"}},
		"a byte order mark": {"\uFEFFdata: a\n\n", []string{"|a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, events, _ := read(test.body)
			require.Equal(t, test.want, events)
		})
	}
}

func TestAnEventIsBounded(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"data: " + strings.Repeat("x", 9<<20),
		strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 9),
		strings.Repeat("x", 9<<20),
		`{"x":"` + strings.Repeat("x", 17<<20) + `"}`,
	} {
		_, events, err := read(body)
		require.Error(t, err)
		require.Empty(t, events)
	}
}

func TestAnEndThatIsToldWithEveryEventEndsNothing(t *testing.T) {
	t.Parallel()
	reply, _, err := read("data: END:stop\n\ndata: Hello\n\ndata: END:stop\n\n")
	require.NoError(t, err)
	require.Equal(t, "Hello", reply.Content)
	_, err = modelstream.Read(modelstream.Source{
		Body: failing{strings.NewReader("data: END:stop\n\ndata: Hello\n\n")}, Stop: func() {},
		Decode: func(_ string, data []byte) (modelstream.Part, error) {
			return modelstream.Part{Text: strings.TrimPrefix(string(data), "END:stop"), Reason: "stop"}, nil
		},
	}, func(string) {})
	require.ErrorIs(t, err, errCut, "half an answer passes for a whole one")
}

var errCut = errors.New("cut")

// failing fails where its reader ends.
type failing struct{ from *strings.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if err != nil {
		err = errCut
	}
	return n, err
}

func TestWhatCannotBeSeenIsNoText(t *testing.T) {
	t.Parallel()
	for text, visible := range map[string]bool{" ": false, "\t": false, "\u00a0": false, "\u200b\u2060\ufeff": false, "\u0007": false, ".": true, "🙂": true, "é": true} {
		_, _, err := read("data: " + text + "\n\ndata: END:stop\n\n")
		if visible {
			require.NoError(t, err, "%q", text)
		} else {
			require.ErrorIs(t, err, ports.ErrEmptyAnswer, "%q", text)
		}
	}
}

func TestReasoningAtTheBeginningOfTheTextIsNoAnswer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<think>hm</think>yes":                    "yes",
		" \t<think></think> yes":                  "yes",
		"<think>a < b </thin></think>yes</think>": "yes</think>",
		"<thinking":            "<thinking",
		"<th":                  "<th",
		"so <think>hm</think>": "so <think>hm</think>",
		"  yes":                "  yes",
	} {
		var whole, bytewise, said strings.Builder
		whole.WriteString("data: +" + text + "\n\ndata: END:stop\n\n")
		for _, c := range []byte(text) {
			bytewise.WriteString("data: +" + string(c) + "\n\n")
		}
		bytewise.WriteString("data: END:stop\n\n")
		for _, body := range []string{whole.String(), bytewise.String()} {
			said.Reset()
			reply, err := modelstream.Read(modelstream.Source{
				Body: strings.NewReader(body), Stop: func() {}, Decode: decodeText,
			}, func(text string) { said.WriteString(text) })
			require.NoError(t, err)
			require.Equal(t, []string{want, want}, []string{reply.Content, said.String()})
		}
	}
}
