// Package modelprompt brings a prompt with tools into the order in which every provider accepts it. It is independent of the
// provider.
package modelprompt

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// Message is a message of a prompt.
type Message struct {
	Role    domain.Role // of a message with Results it is the user's, who gives them to the model
	Text    string      // empty only where there are Calls or Results
	Images  []domain.Image
	Calls   []Call   // of an assistant's message
	Results []Result // of the calls of the message before this one, in their order
}

// Call is a call of a tool as it is sent to a provider.
type Call struct {
	ID        string          // 9 letters and digits, as the strictest provider wants it; it is unique in the prompt
	Name      string          // of letters, digits, _ and -
	Arguments json.RawMessage // an object
}

// Result is the result of a call.
type Result struct {
	CallID string
	Text   string // delimited
	Failed bool
}

// Texts that stand for what is missing, since providers refuse a call without a result, and some a message of the user that follows a
// result.
const (
	noResult = "The call was not completed: it has no result."
	noAnswer = "(There is no answer.)"
)

// Messages returns the messages of a prompt: those of its history, the user's with content for its text, and the steps of its answer.
// Question is the index of the user's message. Each result follows its call, and roles alternate where those of the history do.
func Messages(p ports.Prompt, content string) (messages []Message, question int) {
	b := builder{boundary: p.ResultBoundary(), taken: map[string]bool{}}
	for _, m := range p.History {
		if m.Role == domain.RoleAssistant && len(m.Steps) > 0 {
			b.addSteps(m.ID, m.Steps)
			if !domain.IsVisible(m.Content) {
				m.Content = noAnswer
			}
		}
		b.messages = append(b.messages, Message{Role: m.Role, Text: m.Content, Images: m.Images})
	}
	question = len(b.messages)
	b.messages = append(b.messages, Message{Role: domain.RoleUser, Text: content, Images: p.Images})
	b.addSteps(domain.AnswerID(p.TurnID), p.Steps)
	return b.messages, question
}

type builder struct {
	boundary string
	taken    map[string]bool // ids of calls
	messages []Message
}

// addSteps adds the steps of the answer with this id.
func (b *builder) addSteps(answer uuid.UUID, steps []domain.Step) {
	for i, step := range steps {
		if len(step.Calls) == 0 {
			if domain.IsVisible(step.Text) {
				b.messages = append(b.messages, Message{Role: domain.RoleAssistant, Text: step.Text})
			}
			if step.Correction != "" {
				b.messages = append(b.messages, Message{Role: domain.RoleUser, Text: step.Correction})
			}
			continue
		}
		calls, results := Message{Role: domain.RoleAssistant}, Message{Role: domain.RoleUser}
		if domain.IsVisible(step.Text) {
			calls.Text = step.Text
		}
		for n, c := range step.Calls {
			id := b.idOf(answer, i, n)
			result := domain.ToolResult{Text: noResult, Failed: true}
			if n < len(step.Results) {
				result = step.Results[n]
			}
			calls.Calls = append(calls.Calls, Call{ID: id, Name: nameOf(c.Name), Arguments: argumentsOf(c)})
			results.Results = append(results.Results, Result{CallID: id, Text: domain.ResultText(result, b.boundary), Failed: result.Failed})
		}
		b.messages = append(b.messages, calls, results)
	}
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// maxName is how long the name of a tool may be.
const maxName = 64

// nameOf returns a name that providers accept: models call tools by names that no tool has.
func nameOf(name string) string {
	name = notInNames.ReplaceAllString(name, "_")
	return cmp.Or(name[:min(len(name), maxName)], "unnamed")
}

// argumentsOf returns the arguments of a call as an object, as some providers refuse anything else. Text that is no object becomes
// one.
func argumentsOf(c domain.ModelCall) json.RawMessage {
	if c.Valid() {
		return c.Arguments
	}
	var text string
	_ = json.Unmarshal(c.Arguments, &text) // no text, where it is none
	raw, _ := json.Marshal(map[string]string{"invalid_arguments": text})
	return raw
}

// Tool is a tool as it is sent to a provider.
type Tool struct {
	Name, Description string
	Schema            json.RawMessage // an object with the fields type and properties
}

// Tools returns the tools of a prompt.
func Tools(p ports.Prompt) (tools []Tool) {
	for _, t := range p.Tools {
		tools = append(tools, Tool{t.Name, t.Description, schemaOf(t.Schema)})
	}
	return tools
}

// CalledTools returns tools with the names of those that were called in a prompt, for a provider that refuses calls of tools that it
// does not have.
func CalledTools(messages []Message) (tools []Tool) {
	for _, m := range messages {
		for _, c := range m.Calls {
			if !slices.ContainsFunc(tools, func(t Tool) bool { return t.Name == c.Name }) {
				tools = append(tools, Tool{c.Name, "This tool cannot be called any more.", schemaOf(nil)})
			}
		}
	}
	return tools
}

// schemaOf returns a schema with what providers require of one, and without what some of them refuse.
func schemaOf(schema json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(schema, &fields) != nil || fields == nil {
		fields = map[string]json.RawMessage{}
	}
	_, isObject := fields["type"]
	_, hasProperties := fields["properties"]
	_, named := fields["$schema"]
	_, identified := fields["$id"]
	if isObject && hasProperties && !named && !identified {
		return schema
	}
	delete(fields, "$schema")
	delete(fields, "$id")
	if !isObject {
		fields["type"] = json.RawMessage(`"object"`)
	}
	if !hasProperties {
		fields["properties"] = json.RawMessage(`{}`)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return schema // it is JSON, and so can be encoded
	}
	return raw
}

// Choice returns the choice of tools for the next step. A tool that must be called has been called in the first one: a model that had
// to call one in each step would never answer.
func Choice(p ports.Prompt) domain.ToolChoice {
	if p.ToolChoice == "" || len(p.Steps) > 0 && p.ToolChoice != domain.ToolsNone {
		return domain.ToolsAuto
	}
	return p.ToolChoice
}
