package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
)

func TestWhatABotIsToldCannotBeInvalid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ instruction, settings, wrong string }{
		"both":                {"Be kind", `{"a":1}`, ""},
		"no instruction":      {"", `{}`, ""},
		"settings with space": {"x", " \n{}", ""},
		"the longest":         {strings.Repeat("ü", 50_000), `{}`, ""},
		"too long":            {strings.Repeat("ü", 50_001), `{}`, "instruction"},
		"settings a list":     {"x", `[]`, "settings"},
		"settings null":       {"x", `null`, "settings"},
		"settings text":       {"x", `"{}"`, "settings"},
		"settings no JSON":    {"x", `{`, "settings"},
		"settings twice":      {"x", `{}{}`, "settings"},
		"settings blank":      {"x", ` `, "settings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := domain.NewContent(test.instruction, []byte(test.settings))
			if test.wrong == "" {
				require.NoError(t, err)
				require.Equal(t, []string{test.instruction, test.settings}, []string{c.Instruction(), string(c.Settings())})
				return
			}
			var rule *domain.RuleError
			require.ErrorAs(t, err, &rule)
			require.Equal(t, test.wrong, rule.Field)
		})
	}
	c, err := domain.NewContent("x", nil)
	require.NoError(t, err)
	require.JSONEq(t, "{}", string(c.Settings()), "no settings are {}")
}

func TestABotHasAName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"Ada": true, "": false, " \t": false, strings.Repeat("ü", 200): true, strings.Repeat("ü", 201): false} {
		bot, err := domain.NewBot(uuid.New(), uuid.New(), domain.Attributes{Name: name}, domain.Content{}, time.Now())
		if ok {
			require.NoError(t, err)
			require.Equal(t, domain.Draft, bot.Status)
			require.Equal(t, 1, bot.CurrentVersion)
			continue
		}
		require.Error(t, err, "%q", name)
	}
}

func made(t *testing.T, at time.Time) domain.Bot {
	t.Helper()
	first, err := domain.NewContent("one", nil)
	require.NoError(t, err)
	bot, err := domain.NewBot(uuid.New(), uuid.New(), domain.Attributes{Name: "Ada"}, first, at)
	require.NoError(t, err)
	return bot
}

func TestRewritingMakesTheNextVersion(t *testing.T) {
	t.Parallel()
	at, by := time.Now(), uuid.New()
	later := at.Add(time.Hour)
	bot := made(t, at)
	first := bot.Content
	require.Equal(t, domain.Change{
		Version: &domain.Version{BotID: bot.ID, Number: 1, Content: first, CreatedBy: bot.CreatedBy, CreatedAt: at},
		Pointers: []domain.PointerChange{
			{Pointer: domain.Current, To: 1, Cause: domain.Create, By: bot.CreatedBy, At: at},
			{Pointer: domain.Published, To: 1, Cause: domain.Create, By: bot.CreatedBy, At: at},
		},
	}, bot.First())

	second, err := domain.NewContent("two", []byte(`{"a":1}`))
	require.NoError(t, err)
	c, err := bot.Rewrite(second, domain.Edition{By: by, At: later, Note: "why"})
	require.NoError(t, err)
	require.Equal(t, domain.Change{
		Version: &domain.Version{BotID: bot.ID, Number: 2, Content: second, Note: "why", CreatedBy: by, CreatedAt: later},
		Pointers: []domain.PointerChange{
			{Pointer: domain.Current, From: 1, To: 2, Cause: domain.Edit, By: by, At: later},
			{Pointer: domain.Published, From: 1, To: 2, Cause: domain.Edit, By: by, At: later},
		},
	}, c)
	require.Equal(t, []any{2, 2, second, later}, []any{bot.CurrentVersion, bot.PublishedVersion, bot.Content, bot.UpdatedAt})

	before := bot
	_, err = bot.Rewrite(domain.Content{}, domain.Edition{By: by, At: at})
	require.Error(t, err, "an empty instruction")
	_, err = bot.Rewrite(first, domain.Edition{By: by, At: at, Note: strings.Repeat("ü", 501)})
	require.Error(t, err, "a note of 501 characters")
	require.Equal(t, before, bot, "a refused rewrite changes nothing")
}

func TestAVersionThatIsHeldBackDoesNotAnswer(t *testing.T) {
	t.Parallel()
	bot, by, now := made(t, time.Now()), uuid.New(), time.Now()
	content := bot.Content
	c, err := bot.Rewrite(content, domain.Edition{By: by, At: now, Hold: true})
	require.NoError(t, err)
	require.Equal(t, []domain.PointerChange{{Pointer: domain.Current, From: 1, To: 2, Cause: domain.Edit, By: by, At: now}}, c.Pointers)
	require.Equal(t, []int{2, 1}, []int{bot.CurrentVersion, bot.PublishedVersion})

	c, err = bot.Rewrite(content, domain.Edition{By: by, At: now})
	require.NoError(t, err)
	require.Equal(t, []int{3, 3}, []int{bot.CurrentVersion, bot.PublishedVersion}, "the next is the newest again")
	require.Equal(t, domain.PointerChange{Pointer: domain.Published, From: 1, To: 3, Cause: domain.Edit, By: by, At: now}, c.Pointers[1])
}

func TestRollingBackWritesTheOldContentAsANewVersion(t *testing.T) {
	t.Parallel()
	bot, by, now := made(t, time.Now()), uuid.New(), time.Now()
	old := domain.Version{BotID: bot.ID, Number: 1} // without an instruction, as no new version may be
	for _, note := range []string{"", "the second was worse"} {
		number := bot.CurrentVersion
		c, err := bot.RollBack(old, domain.Edition{By: by, At: now, Note: note})
		require.NoError(t, err)
		if note == "" {
			note = "back to version 1"
		}
		require.Equal(t, &domain.Version{BotID: bot.ID, Number: number + 1, Note: note, CreatedBy: by, CreatedAt: now}, c.Version)
		require.Equal(t, []domain.Cause{domain.Rollback, domain.Rollback}, []domain.Cause{c.Pointers[0].Cause, c.Pointers[1].Cause})
		require.Equal(t, []int{number + 1, number + 1}, []int{bot.CurrentVersion, bot.PublishedVersion})
	}
}

func TestPublishingMovesThePointerAndWakesADraft(t *testing.T) {
	t.Parallel()
	bot, by, now := made(t, time.Now()), uuid.New(), time.Now()
	_, err := bot.Rewrite(bot.Content, domain.Edition{By: by, At: now})
	require.NoError(t, err)
	c, err := bot.Publish(1, by, now)
	require.NoError(t, err)
	require.Equal(t, domain.Change{Pointers: []domain.PointerChange{{Pointer: domain.Published, From: 2, To: 1, Cause: domain.Publish, By: by, At: now}}}, c)
	require.Equal(t, []any{domain.Active, 2, 1}, []any{bot.Status, bot.CurrentVersion, bot.PublishedVersion})
	c, err = bot.Publish(1, by, now)
	require.NoError(t, err)
	require.Empty(t, c, "nothing has moved")

	change, err := bot.Change(domain.Changes{Status: new(domain.Archived)}, now)
	require.NoError(t, err)
	require.False(t, change.Unarchived)
	_, err = bot.Publish(2, by, now)
	require.ErrorIs(t, err, domain.ErrArchived)
	require.Equal(t, 1, bot.PublishedVersion)
	_, err = bot.Change(domain.Changes{Status: new(domain.Draft)}, now)
	require.Error(t, err, "no bot becomes a draft again")
	change, err = bot.Change(domain.Changes{Status: new(domain.Active)}, now)
	require.NoError(t, err)
	require.True(t, change.Unarchived)
	_, err = bot.Change(domain.Changes{Name: new(" "), Status: new(domain.Archived)}, now)
	require.Error(t, err)
	require.Equal(t, []any{domain.Active, "Ada"}, []any{bot.Status, bot.Name}, "all changes or none")
	_, err = bot.Change(domain.Changes{Name: new("Eve")}, now)
	require.NoError(t, err)
	require.Equal(t, []any{domain.Active, "Eve"}, []any{bot.Status, bot.Name})
}
