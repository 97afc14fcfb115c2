package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/usecases"
	"github.com/parley/parley/platform/request/fail"
)

// conversation is what the messages of a call say.
type conversation struct {
	instruction string // of the system and the developer
	history     []domain.PastMessage
	content     string // of the last message, which is the user's
	users       int    // messages of the user
}

// sent is a message as a call sends it.
type sent struct {
	field   string // of the call that has it
	role    ChatMessageParamRole
	content json.RawMessage
}

func sentMessages(messages []ChatMessageParam) []sent {
	list := make([]sent, len(messages))
	for i, m := range messages {
		list[i] = sent{fmt.Sprintf("messages.%d", i), m.Role, m.Content}
	}
	return list
}

// read reads the messages of a call. Those of tools are left out.
func read(messages []sent) (c conversation, err error) {
	var instructions []string
	last := ""
	for _, m := range messages {
		text, err := textOf(m.field, m.content)
		if err != nil {
			return c, err
		}
		switch m.role {
		case ChatMessageParamRoleSystem, ChatMessageParamRoleDeveloper:
			if domain.IsVisible(text) {
				instructions = append(instructions, text)
			}
		case ChatMessageParamRoleUser:
			c.users++
			last = m.field
			c.history = append(c.history, domain.PastMessage{Role: domain.RoleUser, Content: text})
		case ChatMessageParamRoleAssistant:
			c.history = append(c.history, domain.PastMessage{Role: domain.RoleAssistant, Content: text})
		default: // of a tool
		}
	}
	n := len(c.history) - 1
	if n < 0 || c.history[n].Role != domain.RoleUser {
		return c, wrong(listOf(messages), "NOT_ALLOWED", "must end with a message of the user")
	}
	c.instruction = strings.Join(instructions, "\n\n")
	c.content, c.history = c.history[n].Content, c.history[:n]
	if err := domain.CheckContent(c.content); err != nil {
		return c, wrong(last+".content", usecases.ContentCode(err), err.Error())
	}
	return c, nil
}

// listOf returns the field of a call that has its messages.
func listOf(messages []sent) string {
	if len(messages) == 0 {
		return "input"
	}
	list, _, _ := strings.Cut(messages[0].field, ".")
	return list
}

// hasText reports whether a part of a message has text, by its type.
func hasText(part string) bool {
	return part == "text" || part == "input_text" || part == "output_text"
}

// textOf returns the text of a message: it is a text, or a list of parts. The document has checked its form.
func textOf(field string, content json.RawMessage) (string, error) {
	var text *string
	if len(content) == 0 || json.Unmarshal(content, &text) == nil {
		if text == nil {
			return "", nil
		}
		return *text, nil
	}
	var parts []ChatContentPart
	if err := json.Unmarshal(content, &parts); err != nil {
		return "", wrong(field+".content", "WRONG_TYPE", "must be a text or a list of parts")
	}
	var texts []string
	for j, p := range parts {
		if !hasText(p.Type) {
			return "", wrong(fmt.Sprintf("%s.content.%d.type", field, j), "NOT_ALLOWED", "must be text: bots take no images, sounds or files")
		}
		if p.Text != nil {
			texts = append(texts, *p.Text)
		}
	}
	return strings.Join(texts, "\n"), nil
}

func wrong(field, code, message string) error {
	return fail.Fields(fail.Field{Field: field, Code: code, Message: message})
}

// about returns an error with the field of the call that it is about, where that names what does not exist or cannot be continued.
func about(field string, err error) error {
	var e *fail.Error
	if !errors.As(err, &e) || e.Kind != fail.NotFound && e.Kind != fail.Conflict {
		return err
	}
	return e.With("errors", []fail.Field{{Field: field, Code: e.Code, Message: e.Message}})
}

// isTask reports whether a chat client makes the call for itself, as for the title of a chat: such a call is of no
// conversation. Clients mark it in the metadata; Open WebUI removes the mark, and its prompts begin alike.
func isTask(task string, c conversation) bool {
	return task != "" || c.users == 1 && len(c.history) == 0 && slices.ContainsFunc(taskPrompts(), func(begin string) bool {
		return strings.HasPrefix(c.content, begin)
	})
}

// taskPrompts returns how the default prompts of Open WebUI begin for titles, tags, follow-ups, queries, completions and emoji.
func taskPrompts() []string {
	return []string{"### Task:\n", "Your task is to reflect the speaker's likely facial expression"}
}
