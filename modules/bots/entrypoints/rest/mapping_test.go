package rest

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/testing/filltest"
)

func TestNoFieldOfABotIsForgotten(t *testing.T) {
	t.Parallel()
	bot := filltest.Fill[domain.Bot](t)
	bot.Content = domain.RestoreContent("Be kind", []byte("{}"))
	filltest.RequireFull(t, toWritten(bot))
	filltest.RequireFull(t, toSummary(bot))
	version := filltest.Fill[usecases.HashedVersion](t)
	version.Content = bot.Content
	filltest.RequireFull(t, toVersion(version))
	filltest.RequireFull(t, toPointerMove(filltest.Fill[domain.PointerChange](t)))
	filltest.RequireFull(t, toAttributes(filltest.Fill[CreateBotJSONRequestBody](t)))
	changes := toChanges(filltest.Fill[ChangeBotJSONRequestBody](t))
	filltest.RequireFull(t, changes)
	require.Len(t, created(bot), reflect.TypeFor[domain.Attributes]().NumField(), "the audit log has every attribute of a new bot")
	require.Len(t, changed(changes), reflect.TypeFor[domain.Changes]().NumField(), "and every change")
}

func TestNoFieldOfAToolIsForgotten(t *testing.T) {
	t.Parallel()
	tool, version := filltest.Fill[domain.Tool](t), filltest.Fill[domain.ToolVersion](t)
	tool.Definition.Timeout, version.Definition.Timeout = time.Second, time.Second
	filltest.RequireFull(t, toTool(tool))
	filltest.RequireFull(t, toToolSummary(tool))
	filltest.RequireFull(t, toToolVersion(version))
	ofServers := []string{"RemoteName", "DefinitionHash"}
	filltest.RequireFull(t, toNewDefinition(filltest.Fill[CreateToolJSONRequestBody](t)), ofServers...)
	filltest.RequireFull(t, toDefinitionChanges(filltest.Fill[ChangeToolJSONRequestBody](t)), ofServers...)
}
