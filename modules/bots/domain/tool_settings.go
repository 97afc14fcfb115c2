package domain

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Approval says which calls of a tool wait until a person has approved them.
type Approval string

// The approvals.
const (
	ApproveNever  Approval = "never"
	ApproveWrites Approval = "writes"
	ApproveAlways Approval = "always"
)

const maxTools = 32

// ToolRef names a version of a tool.
type ToolRef struct {
	ID      uuid.UUID `json:"id"`
	Version *int      `json:"version"` // nil: the newest
}

// UsedTool is a tool in settings.
type UsedTool struct {
	ToolRef
	Approval Approval `json:"approval"` // empty: ApproveWrites
}

// UsableTool is a tool that settings may name.
type UsableTool struct {
	ID             uuid.UUID
	Name           string
	CurrentVersion int
}

// Tools returns the tools that the settings name, in their order.
func (c Content) Tools() []UsedTool {
	var settings map[string]json.RawMessage
	var tools []UsedTool
	if json.Unmarshal(c.settings, &settings) != nil || json.Unmarshal(settings["tools"], &tools) != nil {
		return nil
	}
	for i := range tools {
		if tools[i].Approval == "" {
			tools[i].Approval = ApproveWrites
		}
	}
	return tools
}

// CheckTools returns a *RuleError where the settings do not fit the tools that are there.
func (c Content) CheckTools(there []UsableTool) error {
	used := c.Tools()
	if len(used) > maxTools {
		return &RuleError{Field: "settings.tools", Rule: "must be at most 32"}
	}
	var names []string
	for i, u := range used {
		at := slices.IndexFunc(there, func(t UsableTool) bool { return t.ID == u.ID })
		switch {
		case at < 0:
			return &RuleError{Field: fmt.Sprintf("settings.tools.%d.id", i), Rule: "must be the id of a tool of this workspace"}
		case slices.Contains(names, there[at].Name):
			return &RuleError{Field: fmt.Sprintf("settings.tools.%d.id", i), Rule: "must be named once"}
		case u.Version != nil && (*u.Version < 1 || *u.Version > there[at].CurrentVersion):
			return &RuleError{Field: fmt.Sprintf("settings.tools.%d.version", i), Rule: "must be a version of the tool, or null"}
		case there[at].Name == KnowledgeTool && c.searchesByTool():
			return &RuleError{Field: fmt.Sprintf("settings.tools.%d.id", i), Rule: "must not have the name " + KnowledgeTool + ", which the tool of knowledge_mode has"}
		}
		names = append(names, there[at].Name)
	}
	return c.checkChoice(names)
}

// KnowledgeTool is the name of the tool that searches the knowledge bases of a bot with the knowledge_mode tool.
const KnowledgeTool = "search_knowledge"

func (c Content) searchesByTool() bool {
	mode, _ := c.text("knowledge_mode")
	return mode == "tool"
}

// checkChoice checks the tool_choice where the tools have these names.
func (c Content) checkChoice(names []string) error {
	if c.searchesByTool() {
		names = append(names, KnowledgeTool)
	}
	choice, given := c.text("tool_choice")
	switch {
	case !given || choice == "auto" || choice == "none" || slices.Contains(names, choice):
		return nil
	case choice == "required" && len(names) > 0:
		return nil
	case choice == "required":
		return &RuleError{Field: "settings.tool_choice", Rule: "must not be required where the bot has no tools"}
	}
	return &RuleError{Field: "settings.tool_choice", Rule: "must be auto, required, none or the name of a tool of settings.tools"}
}

// text returns the text of a key of the settings, and whether it has one.
func (c Content) text(key string) (value string, given bool) {
	var settings map[string]json.RawMessage
	if json.Unmarshal(c.settings, &settings) != nil {
		return "", false
	}
	return value, json.Unmarshal(settings[key], &value) == nil
}
