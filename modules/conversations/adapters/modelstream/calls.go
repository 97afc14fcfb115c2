package modelstream

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/work/resilience"
)

// CallPart is a part of a call of a tool, or a whole one. Which call it belongs to follows from the index or the id, where the
// server sends them.
type CallPart struct {
	Index     *int // of the call in the answer; nil: not sent
	Fresh     bool // another part of the same event has this index, or none, so that this one begins a call of its own
	ID, Name  string
	Arguments string // added to those that have come
}

// call is a call of a tool so far.
type call struct {
	index     *int
	id, name  string
	arguments strings.Builder
	asked     int // how often isFollowedBy has read the arguments
}

// isWhole reports whether the arguments are complete: a part of an object never is one.
func (c *call) isWhole() bool {
	text := strings.TrimSpace(c.arguments.String())
	return strings.HasPrefix(text, "{") && json.Valid([]byte(text))
}

// calls are the calls of an answer, in the order in which they began.
type calls struct {
	all   []*call
	bytes int // of all names and arguments
	err   error
}

// add takes a part of a call. Beyond the limits nothing is kept, and err is set.
func (c *calls) add(p CallPart) {
	to := c.find(p)
	if to == nil {
		if len(c.all) == domain.MaxCalls {
			c.err = refused("TOO_MANY_TOOL_CALLS", fmt.Sprintf("the model calls more than %d tools at once", domain.MaxCalls))
			return
		}
		to = &call{index: p.Index}
		c.all = append(c.all, to)
	}
	if to.id == "" {
		to.id = p.ID
	}
	if to.name == "" {
		to.name = p.Name
	}
	if to.arguments.Len()+len(p.Arguments) > domain.MaxArguments {
		c.err = refused("TOOL_CALL_TOO_LONG", fmt.Sprintf("the model calls a tool with arguments of more than %d bytes", domain.MaxArguments))
		return
	}
	c.bytes += len(p.Name) + len(p.Arguments)
	to.arguments.WriteString(p.Arguments)
}

// find returns the call that a part goes on with; nil: it begins another.
func (c *calls) find(p CallPart) *call {
	if p.Fresh || len(c.all) == 0 {
		return nil
	}
	last := c.all[len(c.all)-1]
	if p.Index == nil {
		if at := slices.IndexFunc(c.all, func(one *call) bool { return p.ID != "" && one.id == p.ID }); at >= 0 {
			return c.all[at]
		}
		if last.isFollowedBy(p) {
			return nil
		}
		return last
	}
	for _, one := range slices.Backward(c.all) {
		switch {
		case one.index == nil || *one.index != *p.Index:
		case one.isFollowedBy(p):
			return nil
		default:
			return one
		}
	}
	if p.Name == "" && p.ID == "" {
		return last
	}
	return nil
}

// maxAsked bounds how often the arguments of a call are read, since a server may send them a byte at a time.
const maxAsked = 100

// isFollowedBy reports whether a part with the index of a call, or with none, begins another call. Some servers send each call in
// one part and give all of them the index 0, and some of them send no ids. Others send the name, or an id, with each part.
func (c *call) isFollowedBy(p CallPart) bool {
	switch {
	case p.Name == "" || c.name == "":
		return false
	case p.ID != "" && c.id != "":
		return p.ID != c.id
	case p.Name != c.name:
		return true
	default:
		c.asked++
		return c.asked < maxAsked && strings.TrimSpace(p.Arguments) != "" && c.isWhole()
	}
}

// unended reports whether the arguments of a call have not come to their end. An answer that was cut may have been cut before the
// arguments of its last call began.
func (c *calls) unended() bool {
	for _, one := range c.all {
		if !one.isWhole() {
			return true
		}
	}
	return false
}

// result returns the calls with ids that are all different, and made where the server has sent none.
func (c *calls) result() []domain.ModelCall {
	var all []domain.ModelCall
	taken := map[string]bool{}
	for i, one := range c.all {
		id := domain.Storable(one.id)
		for n := i + 1; id == "" || len(id) > maxID || taken[id]; n++ {
			id = fmt.Sprintf("call_%d", n)
		}
		taken[id] = true
		all = append(all, domain.ModelCall{ID: id, Name: nameOf(one.name), Arguments: domain.ArgumentsOf(one.arguments.String())})
	}
	return all
}

const (
	maxID   = 200 // bytes of an id that is kept; a longer one is replaced
	maxName = 200 // bytes of a name; no tool has a longer one
)

// nameOf returns the name of a tool as it is kept.
func nameOf(sent string) string {
	name := strings.TrimSpace(domain.Storable(sent))
	return strings.ToValidUTF8(name[:min(len(name), maxName)], "")
}

// refused returns the permanent failure for calls that are not made.
func refused(reason, message string) error {
	err := ports.ErrToolCall.With("reason", reason)
	err.Message = message + ": " + ports.ChangeToolCall
	return resilience.Answered(err)
}

// errCallCut is the failure of an answer that was cut off within a call.
func errCallCut() error { return resilience.Answered(ports.ErrToolCallCut) }
