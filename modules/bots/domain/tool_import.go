package domain

import (
	"regexp"
	"strings"
)

// ImportedTool is an operation of an OpenAPI document as a tool.
type ImportedTool struct {
	OperationID string
	Name        string
	Definition  ToolChanges
	Problem     string // why it cannot be a tool; empty: it can
}

// ImportedName returns the name of the tool that is made of an operation.
func ImportedName(prefix, operation string) string {
	name := prefix + regexp.MustCompile(`[^a-zA-Z0-9_-]+`).ReplaceAllString(operation, "_")
	if name == "" || !regexp.MustCompile(`^[a-zA-Z_]`).MatchString(name) {
		name = "_" + name
	}
	return strings.TrimRight(name[:min(len(name), 64)], "_")
}
