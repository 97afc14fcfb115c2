package mcptool

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/parley/parley/modules/bots/adapters/tooltarget"
	"github.com/parley/parley/modules/bots/domain"
)

// toOutcome returns what the model is given of a result.
func toOutcome(v domain.ToolVersion, result *mcp.CallToolResult) domain.ToolOutcome {
	if result.NeedsInput() || result.InputRequests != nil {
		return tooltarget.Failed(v, "its server asks for more, from a person, which calls of bots do not give")
	}
	text := textOf(result)
	outcome := domain.ToolOutcome{Status: domain.ToolSucceeded}
	if result.IsError {
		outcome.Status, text = domain.ToolFailed, fmt.Sprintf("The tool %s answered an error.\n%s", v.Name, text)
	}
	outcome.Text, outcome.Truncated = tooltarget.Cut(tooltarget.Clean(text), v.Definition.MaxOutputBytes)
	return outcome
}

// textOf returns the text of a result: its texts, and its structured content as JSON unless one of the texts is that JSON. What is no text is named
// by its type.
func textOf(result *mcp.CallToolResult) string {
	var parts []string
	for _, content := range result.Content {
		parts = append(parts, part(content))
	}
	repeats := func(text string) bool {
		var value any
		return json.Unmarshal([]byte(text), &value) == nil && reflect.DeepEqual(value, result.StructuredContent)
	}
	if result.StructuredContent != nil && !slices.ContainsFunc(parts, repeats) {
		if raw, err := json.Marshal(result.StructuredContent); err == nil {
			parts = append(parts, string(raw))
		}
	}
	return strings.Join(parts, "\n")
}

func part(content mcp.Content) string {
	switch c := content.(type) {
	case *mcp.TextContent:
		return c.Text
	case *mcp.ImageContent:
		return fmt.Sprintf("(An image of the type %q is left out.)", c.MIMEType)
	case *mcp.AudioContent:
		return fmt.Sprintf("(Sound of the type %q is left out.)", c.MIMEType)
	case *mcp.ResourceLink:
		return fmt.Sprintf("(A resource of the type %q is left out: %s)", c.MIMEType, c.URI)
	case *mcp.EmbeddedResource:
		if c.Resource != nil {
			return fmt.Sprintf("(A resource of the type %q is left out: %s)", c.Resource.MIMEType, c.Resource.URI)
		}
	}
	return "(A part that is no text is left out.)"
}
