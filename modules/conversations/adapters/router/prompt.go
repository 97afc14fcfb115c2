package router

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// reasonBlank is in the details of ErrModelRejected where the message has no visible character, as one may have that was
// stored before such were refused.
const reasonBlank = "BLANK_MESSAGE"

// valid returns the prompt with as much of the history as there is room for (in tokens), as one that every provider takes, whatever is stored: roles
// alternate, nothing is blank, and without a visible instruction there is none. The error is ports.ErrModelRejected for a
// blank message.
func valid(room int, p ports.Prompt, history []domain.Message) (ports.Prompt, error) {
	if !domain.IsVisible(p.Content) {
		return p, ports.ErrModelRejected.With("reason", reasonBlank)
	}
	if p.Pinned != nil && !domain.IsVisible(p.Pinned.Instruction) {
		pinned := *p.Pinned
		pinned.Instruction = ""
		p.Pinned = &pinned
	}
	p.History, p.Content = domain.Alternate(cut(room, p, domain.Speaking(history)), p.Content)
	return p, nil
}
