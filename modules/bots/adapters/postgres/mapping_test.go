package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/testing/filltest"
)

func TestNoFieldOfABotIsForgottenOnItsWayToTheRowAndBack(t *testing.T) {
	t.Parallel()
	bot := filltest.Fill[domain.Bot](t)
	row := toRow(bot.WorkspaceID, bot)
	filltest.RequireFull(t, toCreated(row))
	bot.Content, bot.Warnings = domain.Content{}, nil // which are not in the row
	require.Equal(t, bot, toBot(row))
}
