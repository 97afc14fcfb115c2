package app

import (
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

func TestEveryCommandOfAnOperatorSpeaksJSON(t *testing.T) {
	t.Parallel()
	var without []string
	for _, group := range newCommand("test", nil, io.Discard, io.Discard).Commands {
		commands := group.Commands
		switch group.Name {
		case "backup", "restore", "doctor":
			commands = []*cli.Command{group}
		case "users", "workspaces", "jobs", "dead-letters", "limits", "audit", "secret":
		default:
			continue
		}
		for _, c := range commands {
			if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "json") }) {
				without = append(without, group.Name+" "+c.Name)
			}
		}
	}
	require.Empty(t, without)
}
