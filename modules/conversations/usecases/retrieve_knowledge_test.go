package usecases_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/modules/conversations/usecases"
)

// knowing stands in for all that a bot with knowledge asks, and records what it was asked.
type knowing struct {
	found    []domain.RetrievalCandidate
	stored   []domain.Retrieval // of an earlier attempt
	history  []domain.Message
	pieces   []string // of the model's answers
	err      error    // of the model
	searches []string
	added    []domain.Retrieval
	recalls  int
	lists    int
	prompts  []ports.Prompt
}

func (k *knowing) Search(_ context.Context, query string, s domain.KnowledgeSearch) (domain.Retrieval, error) {
	k.searches = append(k.searches, query)
	return domain.Retrieval{Mode: "lexical", Candidates: append([]domain.RetrievalCandidate{}, k.found...)}, nil
}

func (k *knowing) Add(_ context.Context, _ uuid.UUID, all []domain.Retrieval) error {
	k.added = all
	return nil
}

func (k *knowing) List(context.Context, uuid.UUID, uuid.UUID) ([]domain.Retrieval, error) {
	k.lists++
	return k.stored, nil
}

func (k *knowing) Recall(context.Context, uuid.UUID, int64, domain.Path, int, int) (ports.Recalled, error) {
	k.recalls++
	return ports.Recalled{History: k.history}, nil
}

func (*knowing) Name() (string, string) { return "test", "m" }

func (k *knowing) Reply(_ context.Context, p ports.Prompt, write func(string)) (domain.Reply, error) {
	k.prompts = append(k.prompts, p)
	for _, piece := range k.pieces {
		write(piece)
	}
	if k.err != nil {
		return domain.Reply{}, k.err
	}
	return domain.Reply{Content: strings.Join(k.pieces, ""), FinishReason: domain.FinishStop, Usage: domain.Usage{OutputTokens: new(1), ChargedMicros: new(int64(7))}}, nil
}

// ask takes a turn of a bot with these settings.
func (k *knowing) ask(t *testing.T, settings string, change func(*domain.Turn)) (domain.Reply, []string, error) {
	t.Helper()
	turn := domain.NewTurnOfEvent(uuid.New(), uuid.New(), uuid.New(), "When do gift cards expire?", time.Minute, time.Now())
	turn.User.Seq, turn.Pinned = 1, &domain.Pinned{Settings: []byte(settings)}
	if change != nil {
		change(&turn)
	}
	ask := usecases.AskModel{Model: k, Timeout: time.Minute, Now: time.Now,
		Retrieve: usecases.RetrieveKnowledge{Knowledge: k, Retrievals: k, Recall: k, Model: k, Now: time.Now}}
	var chunks []string
	reply, err := ask.Ask(t.Context(), turn, func(chunk string) { chunks = append(chunks, chunk) })
	return reply, chunks, err
}

func candidate(text string) domain.RetrievalCandidate {
	return domain.RetrievalCandidate{Source: domain.Source{ChunkID: uuid.New(), DocumentID: uuid.New(), Title: "Terms", Text: text, Start: 10, End: 10 + len(text)}}
}

const oneBase = `{"knowledge": [{"id": "0190a1b2-0000-7000-8000-000000000001"}]}`

func TestWhatIsFoundIsGivenStoredAndCited(t *testing.T) {
	t.Parallel()
	left := candidate("Left out.")
	left.LeftOut = "top_k"
	k := &knowing{found: []domain.RetrievalCandidate{candidate("Gift cards never expire. They are blue."), left}, pieces: []string{"Gift cards never expire [", "1] and \x1e\x00[7]."}}
	reply, chunks, err := k.ask(t, oneBase, nil)
	require.NoError(t, err)
	require.Equal(t, "Gift cards never expire [1] and [7].", reply.Content)
	require.Equal(t, reply.Content, domain.TextOf(chunks), "readers of the stream read what is stored")
	require.Len(t, reply.Citations, 1)
	require.Equal(t, "Gift cards never expire.", reply.Citations[0].Quote)
	require.Equal(t, reply.Citations, domain.CitationsOf(chunks))
	require.Equal(t, []string{"When do gift cards expire?"}, k.searches)
	require.Len(t, k.prompts[0].Found.Sources, 1)
	require.Greater(t, len(k.prompts[0].Found.Boundary), 20)
	require.Len(t, k.added, 1)
	require.Equal(t, []int{1, 0}, []int{k.added[0].Candidates[0].Number, k.added[0].Candidates[1].Number})
	require.Empty(t, k.added[0].Candidates[1].Text, "the text of what was not given is not stored")
	require.Zero(t, k.recalls+k.lists, "a first message needs no history, and no look for an earlier attempt")
}

func TestABotWithoutKnowledgeCostsNothing(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "{}", `{"knowledge": []}`, `{"metadata": {"knowledge": [{"id": 1}]}}`} {
		k := &knowing{pieces: []string{"It is [1]."}}
		reply, chunks, err := k.ask(t, settings, func(turn *domain.Turn) { turn.Attempt, turn.User.Seq = 2, 7 })
		require.NoError(t, err)
		require.Equal(t, []string{"It is [1]."}, chunks)
		require.Empty(t, reply.Citations)
		require.Zero(t, len(k.searches)+k.recalls+k.lists+len(k.added))
	}
}

func TestALaterAttemptUsesWhatWasFoundBefore(t *testing.T) {
	t.Parallel()
	before := candidate("Gift cards never expire.")
	before.Number = 1
	k := &knowing{found: []domain.RetrievalCandidate{candidate("Other.")}, stored: []domain.Retrieval{{Number: 1, Candidates: []domain.RetrievalCandidate{before}}}, pieces: []string{"Never [1]"}}
	_, _, err := k.ask(t, oneBase, func(turn *domain.Turn) { turn.Attempt = 2 })
	require.NoError(t, err)
	require.Empty(t, k.searches)
	require.Empty(t, k.added)
	require.Equal(t, []domain.Source{before.Source}, k.prompts[0].Found.Sources)

	k = &knowing{found: k.found, pieces: k.pieces}
	_, _, err = k.ask(t, oneBase, func(turn *domain.Turn) { turn.Attempt = 2 })
	require.NoError(t, err)
	require.Len(t, k.searches, 1, "an attempt that ended before its search was stored")
}

func TestWhereNothingIsFoundTheSettingsDecideTheAnswer(t *testing.T) {
	t.Parallel()
	k := &knowing{pieces: []string{"I guess [1]"}}
	reply, chunks, err := k.ask(t, `{"no_knowledge": "refuse", "no_knowledge_text": "Не знаю.", "knowledge": [{"id": "0190a1b2-0000-7000-8000-000000000001"}]}`, nil)
	require.NoError(t, err)
	require.Equal(t, "Не знаю.", reply.Content)
	require.Equal(t, "Не знаю.", domain.TextOf(chunks))
	require.Empty(t, k.prompts, "a model was asked")
	require.Len(t, k.added, 1, "that nothing was found is stored")

	reply, _, err = k.ask(t, oneBase, nil)
	require.NoError(t, err)
	require.Equal(t, "I guess [1]", reply.Content)
	require.Empty(t, k.prompts[0].Found.Sources)
}

func TestAFollowUpIsSearchedWithWhatItFollows(t *testing.T) {
	t.Parallel()
	said := []domain.Message{{Role: domain.RoleUser, Content: "Tell me of gift cards."}, {Role: domain.RoleAssistant, Content: "They are blue."}}
	later := func(content string) func(*domain.Turn) {
		return func(turn *domain.Turn) { turn.User.Seq, turn.User.Content = 3, content }
	}
	k := &knowing{history: said, pieces: []string{"x"}}
	_, _, err := k.ask(t, oneBase, later("And do they expire?"))
	require.NoError(t, err)
	require.Equal(t, []string{"And do they expire?\nTell me of gift cards."}, k.searches)

	k = &knowing{history: said, pieces: []string{"x"}}
	long := "What does it cost to send a parcel of twenty kilograms to the north of Norway?"
	_, _, err = k.ask(t, oneBase, later(long))
	require.NoError(t, err)
	require.Equal(t, []string{long}, k.searches, "a long message stands for itself")
	require.Zero(t, k.recalls)

	const rewrite = `{"rewrite": true, "knowledge": [{"id": "0190a1b2-0000-7000-8000-000000000001"}]}`
	k = &knowing{history: said, pieces: []string{" gift cards expiry \n"}}
	reply, _, err := k.ask(t, rewrite, later("And do they expire?"))
	require.NoError(t, err)
	require.Equal(t, []string{"gift cards expiry"}, k.searches)
	require.Equal(t, 2, *reply.OutputTokens, "both calls of the model are counted")
	require.EqualValues(t, 14, *reply.ChargedMicros)
	require.EqualValues(t, 7, k.prompts[len(k.prompts)-1].ChargedMicros, "the answer is reserved beside what the query has cost")

	k = &knowing{history: said, err: errors.New("down")}
	_, _, err = k.ask(t, rewrite, later("And do they expire?"))
	require.ErrorIs(t, err, ports.ErrModel)
	require.Equal(t, []string{"And do they expire?\nTell me of gift cards."}, k.searches, "where the model writes none")
}

func TestAChunkThatTwoSearchesFindIsGivenOnce(t *testing.T) {
	t.Parallel()
	k := &knowing{found: []domain.RetrievalCandidate{candidate("Gift cards never expire.")}, pieces: []string{"x"}}
	_, _, err := k.ask(t, `{"knowledge": [{"id": "0190a1b2-0000-7000-8000-000000000001"}, {"id": "0190a1b2-0000-7000-8000-000000000002", "top_k": 3},
		{"id": "0190a1b2-0000-7000-8000-000000000003"}]}`, nil)
	require.NoError(t, err)
	require.Len(t, k.searches, 2, "bases with the same settings are searched together")
	require.Len(t, k.prompts[0].Found.Sources, 1)
}
