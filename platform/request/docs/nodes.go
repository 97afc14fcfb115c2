package docs

import (
	"iter"
	"slices"

	"go.yaml.in/yaml/v3"
)

// expand returns a copy of a node without aliases, merge keys and comments, so that a change in one place changes no other.
func expand(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return expand(n.Alias)
	}
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style, Line: n.Line}
	if n.Kind != yaml.MappingNode {
		for _, child := range n.Content {
			c.Content = append(c.Content, expand(child))
		}
		return c
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			merged = append(merged, expand(n.Content[i+1]))
			continue
		}
		c.Content = append(c.Content, expand(n.Content[i]), expand(n.Content[i+1]))
	}
	for _, m := range merged {
		for key, value := range pairs(m) {
			if field(c, key) == nil {
				c.Content = append(c.Content, scalar(key), value)
			}
		}
	}
	return c
}

// pairs yields the keys and values of a mapping; of anything else none.
func pairs(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// field returns the value of a key; nil where there is none.
func field(n *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(n) {
		if key == name {
			return value
		}
	}
	return nil
}

// text returns the text of a key; "" where there is none.
func text(n *yaml.Node, name string) string {
	if value := field(n, name); value != nil && value.Kind == yaml.ScalarNode {
		return value.Value
	}
	return ""
}

func setText(n *yaml.Node, name, value string) {
	if old := field(n, name); old != nil {
		*old = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.LiteralStyle}
		return
	}
	n.Content = slices.Insert(n.Content, 0, scalar(name), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.LiteralStyle})
}

func scalar(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// mapping makes a mapping of names and nodes; a name whose node is nil is left out.
func mapping(namesAndNodes ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(namesAndNodes); i += 2 {
		name, _ := namesAndNodes[i].(string)
		if value, _ := namesAndNodes[i+1].(*yaml.Node); value != nil {
			n.Content = append(n.Content, scalar(name), value)
		}
	}
	return n
}
