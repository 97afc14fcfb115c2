package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

func (s *bundle) change(thread uuid.UUID, c ports.ThreadChanges) (changed domain.Thread, err error) {
	err = s.db.Write(s.me, func(ctx context.Context) (err error) {
		changed, err = s.threads.Change(ctx, thread, c)
		return err
	})
	return changed, err
}

func TestWhatIsArchivedTakesNoTurnUntilItIsActiveAgain(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.bot(t)
	thread := s.thread(t, s.me, &bot, now).ID
	for _, test := range []struct {
		archive, activate string
		want              error
	}{
		{"UPDATE threads SET status = 'archived'", "UPDATE threads SET status = 'active'", ports.ErrThreadArchived},
		{"UPDATE bots SET status = 'archived'", "UPDATE bots SET status = 'draft'", ports.ErrBotArchived},
	} {
		before := s.said(t, thread)
		s.exec(t, test.archive)
		_, err := s.start(s.me, thread, time.Hour)
		require.Equal(t, test.want, err)
		require.Equal(t, before, s.said(t, thread), "a refused turn has left its message")
		s.exec(t, test.activate)
		turn, err := s.start(s.me, thread, time.Hour)
		require.NoError(t, err)
		require.EqualValues(t, len(before)+1, turn.User.Seq, "a refused turn has used up a number")
		require.NoError(t, s.fail(turn))
		s.exec(t, test.archive)
		_, err = s.resume(turn)
		require.Equal(t, test.want, err, "a turn that failed is tried again")
		s.exec(t, test.activate)
		again, err := s.resume(turn)
		require.NoError(t, err)
		s.exec(t, test.archive)
		s.exec(t, "UPDATE llm_turns SET lease_until = now() - interval '1 second'")
		again, err = s.resume(*again)
		require.NoError(t, err, "what was begun goes on to its end")
		require.NoError(t, s.complete(*again, "x"))
		s.exec(t, test.activate)
	}
}

func TestAThreadIsLabeledPieceByPiece(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thread := s.thread(t, s.me, nil, now).ID
	title, archived := "Order 4711", domain.ThreadArchived
	_, err := s.change(thread, ports.ThreadChanges{Title: &title, Metadata: []byte(`{"order": 4711}`)})
	require.NoError(t, err)
	got, err := s.change(thread, ports.ThreadChanges{Status: &archived})
	require.NoError(t, err)
	require.Equal(t, []any{title, `{"order": 4711}`, archived}, []any{got.Title, string(got.Metadata), got.Status}, "what is left out stays")
	read, err := s.threads.Get(s.me, thread)
	require.NoError(t, err)
	require.Equal(t, read, got)
	require.Nil(t, got.LastMessageAt, "nothing has been said")
}

func TestAThreadTellsWhenItsLastMessageWasSaid(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bot := s.bot(t)
	thread, other := s.thread(t, s.me, &bot, now).ID, s.thread(t, s.me, nil, now.Add(-time.Hour)).ID
	turn, err := s.start(s.me, thread, time.Hour)
	require.NoError(t, err)
	for _, f := range []ports.ThreadFilter{{}, {BotID: &bot}} {
		list, err := s.threads.List(s.me, f, nil, 10)
		require.NoError(t, err)
		require.True(t, now.Equal(*list[0].LastMessageAt), "the question")
	}
	answer := turn.Answer("x", now.Add(time.Minute))
	require.NoError(t, s.db.Write(s.me, func(ctx context.Context) error { return s.turns.Complete(ctx, turn, answer, domain.Reply{}) }))
	got, err := s.threads.Get(s.me, thread)
	require.NoError(t, err)
	require.True(t, answer.CreatedAt.Equal(*got.LastMessageAt), "the answer")
	got, err = s.threads.Get(s.me, other)
	require.NoError(t, err)
	require.Nil(t, got.LastMessageAt)
}

func TestTheListOfThreadsIsNarrowedByBotAndStatus(t *testing.T) {
	t.Parallel()
	s := setup(t)
	one, two := s.bot(t), s.bot(t)
	archived, active := domain.ThreadArchived, domain.ThreadActive
	ofOne, putAway := s.thread(t, s.me, &one, now).ID, s.thread(t, s.me, &one, now).ID
	ofTwo, bare := s.thread(t, s.me, &two, now).ID, s.thread(t, s.me, nil, now).ID
	_, err := s.change(putAway, ports.ThreadChanges{Status: &archived})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		filter ports.ThreadFilter
		want   []uuid.UUID
	}{
		"all":                 {ports.ThreadFilter{}, []uuid.UUID{ofOne, putAway, ofTwo, bare}},
		"of a bot":            {ports.ThreadFilter{BotID: &one}, []uuid.UUID{ofOne, putAway}},
		"archived":            {ports.ThreadFilter{Status: &archived}, []uuid.UUID{putAway}},
		"active":              {ports.ThreadFilter{Status: &active}, []uuid.UUID{ofOne, ofTwo, bare}},
		"of a bot and active": {ports.ThreadFilter{BotID: &one, Status: &active}, []uuid.UUID{ofOne}},
		"of no bot there is":  {ports.ThreadFilter{BotID: &bare}, nil},
	} {
		var got []uuid.UUID
		var after *ports.ThreadPosition
		for { // pages of one
			list, err := s.threads.List(s.me, test.filter, after, 1)
			require.NoError(t, err)
			if len(list) == 0 {
				break
			}
			got = append(got, list[0].ID)
			after = &ports.ThreadPosition{At: list[0].CreatedAt, ID: list[0].ID}
		}
		require.ElementsMatch(t, test.want, got, name)
	}
}

func TestAnAnswerHasOneOpinionOfEachUser(t *testing.T) {
	t.Parallel()
	s := setup(t)
	thread := s.thread(t, s.me, nil, now).ID
	for range 2 {
		turn, err := s.start(s.me, thread, time.Hour)
		require.NoError(t, err)
		require.NoError(t, s.complete(turn, "x"))
	}
	said, err := s.threads.Messages(s.me, thread, ports.Reading{}, 10)
	require.NoError(t, err)
	colleague := callctx.As(t.Context(), s.workspace, uuid.New())
	rate := func(ctx context.Context, message uuid.UUID, rating domain.Rating, comment string) (got domain.Message, err error) {
		err = s.db.Write(ctx, func(ctx context.Context) (err error) {
			f := domain.Feedback{Rating: rating, Comment: comment, At: now}
			got, err = s.threads.Rate(ctx, domain.Opinion{MessageID: message, UserID: callctx.From(ctx).Principal.UserID, Feedback: f})
			return err
		})
		return got, err
	}
	_, err = rate(s.me, said[1].ID, domain.Bad, "wrong order")
	require.NoError(t, err)
	_, err = rate(s.me, said[3].ID, domain.Good, "")
	require.NoError(t, err)
	_, err = rate(colleague, said[1].ID, domain.Bad, "hers")
	require.NoError(t, err)
	rated, err := rate(s.me, said[1].ID, domain.Good, "right after all")
	require.NoError(t, err)
	require.Equal(t, domain.Good, rated.Feedback.Rating)

	for _, backwards := range []bool{false, true} {
		seen := map[int64]string{}
		from := ports.Reading{Backwards: backwards}
		for range 4 { // pages of one
			page, err := s.threads.Messages(s.me, thread, from, 1)
			require.NoError(t, err)
			if f := page[0].Feedback; f != nil {
				seen[page[0].Seq] = string(f.Rating) + " " + f.Comment
			}
			from.After = &ports.MessagePosition{Seq: page[0].Seq}
		}
		require.Equal(t, map[int64]string{2: "good right after all", 4: "good "}, seen)
		end, err := s.threads.Messages(s.me, thread, from, 1)
		require.NoError(t, err)
		require.Empty(t, end)
	}
	hers, err := s.threads.Messages(colleague, thread, ports.Reading{}, 10)
	require.NoError(t, err)
	require.Equal(t, "hers", hers[1].Feedback.Comment)
	require.Nil(t, hers[3].Feedback, "another's opinion is shown as hers")

	_, err = rate(s.me, said[0].ID, domain.Good, "")
	require.Equal(t, ports.ErrNoAnswer, err)
	for name, ctx := range map[string]context.Context{"never": s.me, "foreign": s.them} {
		id := said[1].ID
		if name == "never" {
			id = uuid.New()
		}
		_, err = rate(ctx, id, domain.Good, "")
		require.ErrorIs(t, err, ports.ErrMessageNotFound, name)
	}
}
