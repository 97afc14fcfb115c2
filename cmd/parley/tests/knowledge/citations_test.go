package knowledge

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// citingModel is a server of models that cite. As OpenAI it writes a text of the test's in pieces, as Anthropic it cites blocks of
// the search results that it was sent.
type citingModel struct {
	mu     sync.Mutex
	random *rand.Rand
	text   string // of the next answer as OpenAI
	cited  string // what the last answer as Anthropic has cited
}

func (m *citingModel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var asked struct {
		Messages []struct {
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(event string, data any) {
		raw, _ := json.Marshal(data)
		if event != "" {
			fmt.Fprintf(w, "event: %s\n", event)
		}
		fmt.Fprintf(w, "data: %s\n\n", raw)
	}
	if strings.HasSuffix(r.URL.Path, "/messages") {
		m.messages(send, asked.Messages[len(asked.Messages)-1].Content)
		return
	}
	piece := func(delta map[string]any, finish any) {
		send("", map[string]any{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []any{
			map[string]any{"index": 0, "delta": delta, "finish_reason": finish},
		}})
	}
	for rest := []rune(m.text); len(rest) > 0; {
		n := 1 + m.random.IntN(min(7, len(rest)))
		piece(map[string]any{"content": string(rest[:n])}, nil)
		rest = rest[n:]
	}
	piece(map[string]any{}, "stop")
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func (m *citingModel) messages(send func(event string, data any), content json.RawMessage) {
	var blocks []struct {
		Type    string `json:"type"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	_ = json.Unmarshal(content, &blocks)
	var results [][]string
	for _, b := range blocks {
		if b.Type == "search_result" {
			var texts []string
			for _, c := range b.Content {
				texts = append(texts, c.Text)
			}
			results = append(results, texts)
		}
	}
	send("message_start", map[string]any{"type": "message_start", "message": map[string]any{
		"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []any{}, "usage": map[string]any{"input_tokens": 1, "output_tokens": 1},
	}})
	send("content_block_start", map[string]any{"type": "content_block_start", "index": 0, "content_block": map[string]any{"type": "text", "text": ""}})
	delta := func(d map[string]any) {
		send("content_block_delta", map[string]any{"type": "content_block_delta", "index": 0, "delta": d})
	}
	delta(map[string]any{"type": "text_delta", "text": "Так сказано 🫖"})
	if m.cited = ""; len(results) > 0 {
		n := m.random.IntN(len(results))
		first := m.random.IntN(len(results[n]))
		after := first + 1 + m.random.IntN(len(results[n])-first)
		m.cited = strings.Join(results[n][first:after], "")
		delta(map[string]any{"type": "citations_delta", "citation": map[string]any{
			"type": "search_result_location", "cited_text": m.cited, "search_result_index": n, "source": "source-1", "title": "x", "start_block_index": first, "end_block_index": after,
		}})
	}
	send("content_block_stop", map[string]any{"type": "content_block_stop", "index": 0})
	send("message_delta", map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": "end_turn"}, "usage": map[string]any{"output_tokens": 1}})
	send("message_stop", map[string]any{"type": "message_stop"})
}

// requirePlaced fails where the offsets of something do not name its text in the kept text of its document.
func requirePlaced(t *testing.T, kept []rune, at map[string]any, text string) {
	t.Helper()
	start, end := int(at["start"].(float64)), int(at["end"].(float64))
	require.NotEmpty(t, at[text], at)
	require.True(t, 0 <= start && start < end && end <= len(kept), at)
	require.Equal(t, string(kept[start:end]), at[text])
}

// Whatever the format of a document and the model that cites it, the offsets of citations, results and chunks name their words.
func TestU6OffsetsOfCitationsNameTheirWordsInDocumentsOfEachFormat(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	test := func(t *testing.T, name string, write func(t *testing.T, c content) []byte, pages bool) {
		t.Helper()
		random := rand.New(rand.NewPCG(seed, uint64(len(name))))
		m := &citingModel{random: random}
		server := httptest.NewServer(m)
		t.Cleanup(server.Close)
		ada := harness.Start(t, "OPENAI_BASE_URL="+server.URL+"/v1", "OPENAI_API_KEY=sk-1", "ANTHROPIC_BASE_URL="+server.URL, "ANTHROPIC_API_KEY=sk-2").Register(t)
		base := ada.NewBase(t, map[string]any{"chunk_size": 400, "chunk_overlap": 60})
		c := newContent(random)
		file := ada.Upload(t, name, string(write(t, c)))
		a := ada.Post(t, base+"/documents", map[string]any{"file_id": file.Text("id")})
		require.Equal(t, http.StatusAccepted, a.Status, a)
		path := a.Header.Get("Location")
		require.Eventually(t, func() bool { // compiling the reader of PDF takes long
			a = ada.Get(t, path)
			return a.Text("status") == "ready" || a.Text("status") == "failed"
		}, 3*time.Minute, 50*time.Millisecond)
		require.Equal(t, "ready", a.Text("status"), a)
		kept := []rune(ada.Get(t, path+"/text").Text("text"))
		require.NotContains(t, string(kept), "\r")
		require.Contains(t, string(kept), "Артикул")
		chunks, _ := ada.LeafThrough(t, path+"/chunks?limit=100")
		for _, chunk := range chunks {
			requirePlaced(t, kept, chunk, "text")
		}
		onPage := func(at map[string]any) {
			require.Equal(t, pages, at["page"] != nil, at)
			if pages {
				page := ada.Get(t, fmt.Sprintf("%s/text?page=%v", path, at["page"]))
				require.LessOrEqual(t, page.At("start"), at["start"], page)
				require.Greater(t, page.At("end"), at["start"], page)
			}
		}
		for _, answers := range []string{"echo", "openai/m", "anthropic/m"} {
			for range 3 {
				paragraph := random.IntN(len(c.paragraphs))
				question := fmt.Sprintf("Артикул%d? %s", paragraph, sentencesOf(c.paragraphs[paragraph])[0])
				found := ada.Find(t, base, question)
				require.NotEmpty(t, found.Items())
				for _, item := range found.Items() {
					requirePlaced(t, kept, item, "text")
					onPage(item)
				}
				m.mu.Lock()
				m.text = "Вот 🫖: " + sentencesOf(c.paragraphs[paragraph])[1] + " [1], и ещё " + sentencesOf(c.paragraphs[(paragraph+1)%len(c.paragraphs)])[0] + " 【2†source】[1, 99]. `[1]`"
				m.mu.Unlock()
				said := ada.Say(t, threadOn(t, ada, base, map[string]any{"model": answers}), question)
				require.Equal(t, http.StatusOK, said.Status, said)
				citations, _ := said.At("assistant_message.citations").([]any)
				require.NotEmpty(t, citations, "%s: %s", answers, said)
				for _, one := range citations {
					requirePlaced(t, kept, one.(map[string]any), "quote")
					onPage(one.(map[string]any))
				}
				if answers == "anthropic/m" {
					m.mu.Lock()
					cited := strings.TrimSpace(m.cited)
					m.mu.Unlock()
					require.Equal(t, cited, strings.TrimSpace(citations[0].(map[string]any)["quote"].(string)))
				}
			}
		}
	}
	for name, write := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, write, strings.HasSuffix(name, ".pptx"))
		})
	}
	t.Run("a.pdf", func(t *testing.T) {
		t.Parallel()
		test(t, "a.pdf", func(_ *testing.T, c content) []byte { return pdf(c) }, true)
	})
}
