package main

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is the part of OpenAPI that a collection needs.
type document struct {
	Info       struct{ Title, Version string }
	Paths      yaml.Node
	Components struct{ Parameters map[string]parameter }
}

type call struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          *[]map[string][]string
	Signed                            bool
	Parameters                        []parameter
	RequestBody                       *struct {
		Content map[string]struct{ Example any }
	}
	Responses map[string]struct {
		Content map[string]yaml.Node
	}
	path, method, tag string
}

type parameter struct {
	Ref, Name, In, Description string
	Required                   bool
	Example                    any
	Schema                     struct{ Default any }
}

func (p parameter) example() string {
	for _, value := range []any{p.Example, p.Schema.Default} {
		if value != nil {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// calls returns the calls of the document by their ids, and the ids in their order.
func (d document) calls() (calls map[string]call, order []string) {
	calls = map[string]call{}
	for i := 0; i+1 < len(d.Paths.Content); i += 2 {
		path, item := d.Paths.Content[i].Value, d.Paths.Content[i+1]
		var shared []parameter
		for j := 0; j+1 < len(item.Content); j += 2 {
			method := item.Content[j].Value
			if method == "parameters" {
				_ = item.Content[j+1].Decode(&shared)
				continue
			}
			var raw struct {
				OperationID string `yaml:"operationId"`
				Summary     string
				Description string
				Tags        []string
				Security    *[]map[string][]string
				Signed      bool `yaml:"x-signed-body"`
				Parameters  []rawParameter
				RequestBody *struct {
					Content map[string]struct{ Example any }
				} `yaml:"requestBody"`
				Responses map[string]struct {
					Content map[string]yaml.Node
				}
			}
			if item.Content[j+1].Decode(&raw) != nil || raw.OperationID == "" {
				continue
			}
			c := call{
				OperationID: raw.OperationID, Summary: raw.Summary, Description: raw.Description, Tags: raw.Tags, Security: raw.Security, Signed: raw.Signed,
				RequestBody: raw.RequestBody, Responses: raw.Responses, path: path, method: method,
			}
			if len(raw.Tags) > 0 {
				c.tag = raw.Tags[0]
			}
			for _, p := range raw.Parameters {
				if p.Ref != "" {
					p.parameter = d.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
				}
				c.Parameters = append(c.Parameters, p.parameter)
			}
			calls[c.OperationID] = c
			order = append(order, c.OperationID)
		}
	}
	return calls, order
}

type rawParameter struct {
	Ref       string `yaml:"$ref"`
	parameter `yaml:",inline"`
}

// success returns the lowest status of success.
func (c call) success() int {
	best := 299
	for status := range c.Responses {
		if n, err := strconv.Atoi(status); err == nil && n >= 200 && n < best {
			best = n
		}
	}
	return best
}

// streamOnly reports whether the call answers with a stream and nothing else.
func (c call) streamOnly() bool {
	content := c.Responses[strconv.Itoa(c.success())].Content
	_, stream := content["text/event-stream"]
	return stream && len(content) == 1
}
