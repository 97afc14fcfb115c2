package mcptool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
)

// Limits of what a server offers.
const (
	maxTools       = 500
	maxPages       = 50
	maxDescription = 4000     // characters
	maxSchema      = 32 << 10 // bytes
	maxName        = 200      // bytes
)

// list returns the tools of a server.
func list(ctx context.Context, session *mcp.ClientSession) (tools []domain.RemoteTool, err error) {
	err = each(ctx, session, func(tool *mcp.Tool) bool {
		tools = append(tools, toRemote(tool))
		return true
	})
	return tools, err
}

// find returns the tool of a name; nil where the server has none.
func find(ctx context.Context, session *mcp.ClientSession, name string) (found *mcp.Tool, err error) {
	err = each(ctx, session, func(tool *mcp.Tool) bool {
		if tool.Name == name {
			found = tool
		}
		return found == nil
	})
	return found, err
}

// each calls fn with the tools of a server, until it returns false.
func each(ctx context.Context, session *mcp.ClientSession, fn func(tool *mcp.Tool) bool) error {
	n, params := 0, &mcp.ListToolsParams{}
	for range maxPages {
		page, err := session.ListTools(ctx, params)
		if err != nil {
			return err
		}
		for _, tool := range page.Tools {
			if n++; n > maxTools {
				return ownError{error: fmt.Errorf("it has more than %d tools", maxTools)}
			}
			if !fn(tool) {
				return nil
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		params.Cursor = page.NextCursor
	}
	return ownError{error: fmt.Errorf("its list of tools has more than %d pages", maxPages)}
}

// toRemote returns the definition of a tool, with its hash.
func toRemote(tool *mcp.Tool) domain.RemoteTool {
	var hints domain.RemoteHints
	title := tool.Title
	if a := tool.Annotations; a != nil {
		hints = domain.RemoteHints{ReadOnly: a.ReadOnlyHint, Destructive: a.DestructiveHint, Idempotent: a.IdempotentHint, OpenWorld: a.OpenWorldHint}
		if title == "" {
			title = a.Title
		}
	}
	remote := domain.RemoteTool{
		Name: tooltarget.Clean(tool.Name), Description: describe(tool.Name, title, tool.Description), Effect: domain.Writes,
		Hash: domain.RemoteHash(tool.Name, title, tool.Description, tool.InputSchema, hints),
	}
	if hints.ReadOnly {
		remote.Effect = domain.Reads
	}
	schema, err := json.Marshal(plainSchema(tool.InputSchema))
	switch {
	case len(tool.Name) > maxName || remote.Name != tool.Name || remote.Name == "":
		remote.Name, _ = tooltarget.Cut(remote.Name, maxName)
		remote.Problem = fmt.Sprintf("its name must have 1 to %d bytes of text", maxName)
	case err != nil || len(schema) > maxSchema:
		remote.Problem = fmt.Sprintf("its schema has more than %d bytes of JSON", maxSchema)
	default:
		remote.Schema = schema
	}
	return remote
}

// describe returns what the model is shown of a tool. It has a visible character unless the server has written blanks.
func describe(name, title, description string) string {
	for _, text := range []string{description, title, "Calls the tool " + name + "."} {
		if text = strings.TrimSpace(tooltarget.Clean(text)); text != "" {
			runes := []rune(text)
			return string(runes[:min(len(runes), maxDescription)])
		}
	}
	return ""
}

// plainSchema returns a schema without the name of a draft before 2020-12, by which many servers call schemas that are the same in all of them.
func plainSchema(schema any) any {
	of, is := schema.(map[string]any)
	draft, _ := of["$schema"].(string)
	if !is || !strings.Contains(draft, "json-schema.org/draft") {
		return schema
	}
	plain := make(map[string]any, len(of))
	for key, value := range of {
		if key != "$schema" {
			plain[key] = value
		}
	}
	return plain
}
