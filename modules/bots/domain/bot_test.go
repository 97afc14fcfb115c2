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
		bot, err := domain.NewBot(uuid.New(), uuid.New(), name, domain.Content{}, time.Now())
		if ok {
			require.NoError(t, err)
			require.Equal(t, domain.Draft, bot.Status)
			require.Equal(t, 1, bot.CurrentVersion)
			continue
		}
		require.Error(t, err, "%q", name)
	}
}

func TestRewritingMakesTheNextVersion(t *testing.T) {
	t.Parallel()
	first, err := domain.NewContent("one", nil)
	require.NoError(t, err)
	second, err := domain.NewContent("two", []byte(`{"a":1}`))
	require.NoError(t, err)
	at, by := time.Now(), uuid.New()
	bot, err := domain.NewBot(uuid.New(), uuid.New(), "Ada", first, at)
	require.NoError(t, err)
	require.Equal(t, domain.Version{BotID: bot.ID, Number: 1, Content: first, CreatedBy: bot.CreatedBy, CreatedAt: at}, bot.First())
	v, err := bot.Rewrite(second, by, at.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, domain.Version{BotID: bot.ID, Number: 2, Content: second, CreatedBy: by, CreatedAt: at.Add(time.Hour)}, v)
	require.Equal(t, []any{2, second, at.Add(time.Hour)}, []any{bot.CurrentVersion, bot.Content, bot.UpdatedAt})

	before := bot
	_, err = bot.Rewrite(domain.Content{}, by, at)
	require.Error(t, err, "an empty instruction")
	require.Equal(t, before, bot, "a refused rewrite changes nothing")
}
