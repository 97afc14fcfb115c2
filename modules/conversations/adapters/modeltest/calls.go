package modeltest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Messages are the roles and texts of a call, in order: "user: Hi". The calls of tools are at the end of the assistant's text, as in
// "assistant: Wait. [weather {"city":"Paris"}]", and the results are messages such as "tool: 18 °C", whatever API was called.
func (c Call) Messages() (texts []string) {
	for _, m := range c.list("messages") {
		blocks, _ := m["content"].([]any)
		for _, b := range blocks {
			if b, _ := b.(map[string]any); b["type"] == "tool_result" {
				texts = append(texts, "tool: "+text(b["content"]))
			}
		}
		said := fmt.Sprintf("%v: %s", m["role"], text(m["content"]))
		for _, made := range madeIn(m) {
			said = strings.TrimSuffix(said, " ") + fmt.Sprintf(" [%s %s]", made.Name, made.Arguments)
		}
		if len(blocks) == 0 || text(m["content"]) != "" || len(madeIn(m)) > 0 {
			texts = append(texts, said)
		}
	}
	return texts
}

// Tools are the names of the tools that the model may call.
func (c Call) Tools() (names []string) {
	for _, t := range c.list("tools") {
		if function, ok := t["function"].(map[string]any); ok {
			t = function
		}
		name, _ := t["name"].(string)
		names = append(names, name)
	}
	return names
}

// Calls are the calls of tools in the messages, in order.
func (c Call) Calls() (calls []ScriptCall) {
	for _, m := range c.list("messages") {
		calls = append(calls, madeIn(m)...)
	}
	return calls
}

// Results are the results in the messages, by the ids of their calls.
func (c Call) Results() map[string]string {
	results := map[string]string{}
	for _, m := range c.list("messages") {
		if id, ok := m["tool_call_id"].(string); ok {
			results[id] = text(m["content"])
		}
		blocks, _ := m["content"].([]any)
		for _, b := range blocks {
			b, _ := b.(map[string]any)
			if id, ok := b["tool_use_id"].(string); ok {
				results[id] = text(b["content"])
			}
		}
	}
	return results
}

func (c Call) list(name string) (list []map[string]any) {
	all, _ := c.Body[name].([]any)
	for _, one := range all {
		one, _ := one.(map[string]any)
		list = append(list, one)
	}
	return list
}

// madeIn returns the calls of tools in a message of either API.
func madeIn(message map[string]any) (calls []ScriptCall) {
	openAI, _ := message["tool_calls"].([]any)
	blocks, _ := message["content"].([]any)
	for _, one := range slices.Concat(openAI, blocks) {
		one, _ := one.(map[string]any)
		call := ScriptCall{}
		call.ID, _ = one["id"].(string)
		if function, ok := one["function"].(map[string]any); ok {
			call.Name, _ = function["name"].(string)
			call.Arguments, _ = function["arguments"].(string)
		} else if one["type"] == "tool_use" {
			call.Name, _ = one["name"].(string)
			raw, _ := json.Marshal(one["input"])
			call.Arguments = string(raw)
		} else {
			continue
		}
		calls = append(calls, call)
	}
	return calls
}

// text reads content, which is a text or a list of blocks of which some have one.
func text(content any) string {
	if s, ok := content.(string); ok {
		return s
	}
	list, _ := content.([]any)
	var all strings.Builder
	for _, block := range list {
		block, _ := block.(map[string]any)
		said, _ := block["text"].(string)
		all.WriteString(said)
	}
	return all.String()
}
