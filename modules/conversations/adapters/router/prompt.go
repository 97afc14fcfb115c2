package router

import (
	"slices"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// reasonBlank is in the details of ErrModelRejected where the message has no visible character. A message that was
// stored before such messages were refused may be blank.
const reasonBlank = "BLANK_MESSAGE"

// fitting returns the first sources that fit into room with the message and the instruction. The first one stays in any case.
func fitting(room int, p ports.Prompt) []domain.Source {
	p.History = nil
	for len(p.Found.Sources) > 1 && p.Tokens() > room {
		p.Found.Sources = p.Found.Sources[:len(p.Found.Sources)-1]
	}
	return p.Found.Sources
}

// valid returns the prompt in a form that every provider accepts, whatever is stored, with as much of the history as
// fits into room (in tokens). Roles alternate, nothing is blank, and an instruction that is not visible is left out.
// The error is ports.ErrModelRejected for a blank message.
func valid(room int, p ports.Prompt, history []domain.Message) (ports.Prompt, error) {
	if !domain.IsVisible(p.Content) {
		return p, ports.ErrModelRejected.With("reason", reasonBlank)
	}
	if p.Pinned != nil && !domain.IsVisible(p.Pinned.Instruction) {
		pinned := *p.Pinned
		pinned.Instruction = ""
		p.Pinned = &pinned
	}
	p.Content, p.Images = domain.AttachedText(p.Attached, p.ResultBoundary())+p.Content, domain.ImagesOf(p.Attached)
	history = slices.Clone(history) // each model is given its own
	for i := range history {
		history[i] = history[i].WithAttached(p.ResultBoundary())
	}
	p.Found.Sources = fitting(room, p)
	history = cut(room, p, domain.Speaking(history))
	p.Images = append(domain.UnansweredImages(history), p.Images...)
	p.History, p.Content = domain.Alternate(history, p.Content)
	return p, nil
}
