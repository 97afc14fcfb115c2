package usecases

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// RetrieveKnowledge searches the knowledge bases of a bot for what the model of a turn is given.
type RetrieveKnowledge struct {
	Knowledge  ports.Knowledge // nil: no bot answers from knowledge bases
	Retrievals ports.Retrievals
	Recall     ports.Recall
	Model      ports.Model // writes the query where the bot wants that
	Now        func() time.Time
	// Reach is called at the named points between steps, for tests of crashes; nil: nowhere.
	Reach func(point string)
}

func (u RetrieveKnowledge) reach(point string) {
	if u.Reach != nil {
		u.Reach(point)
	}
}

// knowledgeOf returns the settings of a turn's bot about knowledge; without bases where it has none.
func knowledgeOf(t domain.Turn) (domain.KnowledgeSettings, error) {
	if t.Pinned == nil || !bytes.Contains(t.Pinned.Settings, []byte(`"knowledge"`)) {
		return domain.KnowledgeSettings{}, nil
	}
	return domain.ReadKnowledge(t.Pinned.Settings)
}

// Do returns the retrievals of a turn, and the usage of the model that has written the query. Those of an earlier attempt at the
// turn are used again. They are stored before Do returns, and no connection is held meanwhile.
func (u RetrieveKnowledge) Do(ctx context.Context, t domain.Turn, s domain.KnowledgeSettings) ([]domain.Retrieval, domain.Usage, error) {
	if t.Attempt > 1 {
		before, err := u.Retrievals.List(ctx, t.ThreadID, t.ID)
		if err != nil || len(before) > 0 {
			return before, domain.Usage{}, err
		}
	}
	query, usage, err := u.query(ctx, t, s)
	if err != nil {
		return nil, usage, err
	}
	all, err := u.searchFor(ctx, query, s, nil)
	if err != nil {
		return nil, usage, err
	}
	u.reach("searched")
	return all, usage, u.Retrievals.Add(ctx, t.ID, all)
}

// searchFor searches the bases for a query. Retrievals and sources are numbered after those that the turn has before, and a chunk that the
// model has been given is not given again.
func (u RetrieveKnowledge) searchFor(ctx context.Context, query string, s domain.KnowledgeSettings, before []domain.Retrieval) (all []domain.Retrieval, err error) {
	number, given := 0, map[uuid.UUID]bool{}
	for _, r := range before {
		for _, c := range r.Candidates {
			if c.Number > 0 {
				number, given[c.ChunkID] = max(number, c.Number), true
			}
		}
	}
	for _, search := range domain.Searches(s.Bases) {
		start := u.Now()
		r, err := u.Knowledge.Search(ctx, query, search)
		if err != nil {
			return nil, err
		}
		for i := range r.Candidates {
			c := &r.Candidates[i]
			if c.LeftOut == "" && !given[c.ChunkID] {
				number++
				c.Number, given[c.ChunkID] = number, true
			} else {
				c.Text = ""
			}
		}
		r.Number, r.Query, r.Latency, r.At = len(before)+len(all)+1, query, u.Now().Sub(start), start
		all = append(all, r)
	}
	return all, nil
}

// query returns what is searched.
func (u RetrieveKnowledge) query(ctx context.Context, t domain.Turn, s domain.KnowledgeSettings) (string, domain.Usage, error) {
	message := t.User.Content
	if sent, complete := t.Request.Earlier(); complete && len(sent) == 0 || !complete && (t.User.Seq <= 1 || t.Path == domain.NoPath) {
		return domain.QueryOf(message, nil), domain.Usage{}, nil
	}
	if s.Rewrite {
		query, usage := u.rewritten(ctx, t)
		if query != "" {
			return query, usage, nil
		}
		earlier, err := u.earlier(ctx, t)
		return domain.QueryOf(message, earlier), usage, err
	}
	if !domain.IsShort(message) {
		return domain.QueryOf(message, nil), domain.Usage{}, nil
	}
	earlier, err := u.earlier(ctx, t)
	return domain.QueryOf(message, earlier), domain.Usage{}, err
}

func (u RetrieveKnowledge) earlier(ctx context.Context, t domain.Turn) ([]domain.Message, error) {
	if sent, complete := t.Request.Earlier(); complete {
		return newestWithin(sent, domain.EarlierMessages, maxEarlierBytes), nil
	}
	recalled, err := u.Recall.Recall(ctx, t.ThreadID, t.User.Seq, t.Path, domain.EarlierMessages, maxEarlierBytes)
	return recalled.History, err
}

// newestWithin returns the newest messages, at most limit with at most that many bytes together.
func newestWithin(history []domain.Message, limit, bytes int) []domain.Message {
	first := len(history)
	for first > 0 && len(history)-first < limit && bytes >= len(history[first-1].Content) {
		first--
		bytes -= len(history[first].Content)
	}
	return history[first:]
}

const maxEarlierBytes = 16 << 10 // of the messages that a query is made of

// rewriteRules is the instruction of the model that writes the query.
const rewriteRules = "Write one search query for the user's last message: what it asks, with what it refers to in earlier messages spelled out, " +
	"in the language of the message. Answer with the query only."

// rewritten asks the bot's model for a query; empty where it fails.
func (u RetrieveKnowledge) rewritten(ctx context.Context, t domain.Turn) (string, domain.Usage) {
	prompt := promptOf(t)
	prompt.Attached, prompt.WithoutFiles = nil, true
	pinned := *t.Pinned
	pinned.Instruction = rewriteRules
	prompt.Pinned = &pinned
	reply, err := u.Model.Reply(ctx, prompt, func(string) {})
	if err != nil {
		return "", reply.Usage
	}
	return domain.QueryOf(strings.TrimSpace(domain.Storable(reply.Content)), nil), reply.Usage
}

// retrieved is what the stream of a turn tells of its retrievals.
type retrieved struct {
	Searches []retrievedSearch `json:"searches"`
	Sources  []retrievedSource `json:"sources"`
}

type retrievedSearch struct {
	Query    string `json:"query"`
	Mode     string `json:"mode"`
	Degraded bool   `json:"degraded"`
	Found    int    `json:"found"`
}

type retrievedSource struct {
	Number     int       `json:"number"`
	DocumentID uuid.UUID `json:"document_id"`
	Title      string    `json:"title"`
	Page       *int      `json:"page"`
}

func summaryOf(all []domain.Retrieval) retrieved {
	r := retrieved{Searches: []retrievedSearch{}, Sources: []retrievedSource{}}
	for _, one := range all {
		r.Searches = append(r.Searches, retrievedSearch{Query: one.Query, Mode: one.Mode, Degraded: one.Degraded, Found: len(one.Candidates)})
	}
	for _, s := range domain.Given(all) {
		source := retrievedSource{Number: s.Number, DocumentID: s.DocumentID, Title: s.Title}
		if s.Page > 0 {
			source.Page = &s.Page
		}
		r.Sources = append(r.Sources, source)
	}
	return r
}
