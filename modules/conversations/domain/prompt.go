package domain

import "slices"

// What of a thread a model is given. Providers refuse a history that does not begin with the user, in which roles do not
// alternate, or that has a blank message; what is stored may be any of these.

// paragraph separates messages that become one.
const paragraph = "\n\n"

// Speaking returns the messages of a history that can be sent to a model: those of the user and the assistant that are
// visible, and those of the assistant that have called tools.
func Speaking(history []Message) []Message {
	speaking := make([]Message, 0, len(history))
	for _, m := range history {
		called := m.Role == RoleAssistant && len(m.Steps) > 0
		if (m.Role == RoleUser || m.Role == RoleAssistant) && IsVisible(m.Content) || called {
			speaking = append(speaking, m)
		}
	}
	return speaking
}

// Alternate converts a history and the user's message after it into a form that every provider accepts. The history
// begins with the user, user and assistant alternate in it, and its last message is the assistant's. Consecutive
// messages of one role become one, in paragraphs, and calls of tools stay between the texts that were before and after
// them. Unanswered messages of the user at the end of the history are put
// before the content. The history must be a result of Speaking.
func Alternate(history []Message, content string) (alternating []Message, withUnanswered string) {
	for _, m := range history {
		last := len(alternating) - 1
		switch {
		case last < 0 && m.Role != RoleUser:
		case last < 0 || alternating[last].Role != m.Role:
			alternating = append(alternating, m)
		default:
			alternating[last] = alternating[last].followedBy(m)
		}
	}
	if last := len(alternating) - 1; last >= 0 && alternating[last].Role == RoleUser {
		content = alternating[last].Content + paragraph + content
		alternating = alternating[:last]
	}
	return alternating, content
}

// followedBy returns the message with the content of another one of the same role after it. Where the other one has called tools, the
// content so far is what was said before its calls.
func (m Message) followedBy(next Message) Message {
	m.Images = append(slices.Clip(m.Images), next.Images...)
	if len(next.Steps) == 0 {
		m.Content = joined(m.Content, next.Content)
		return m
	}
	steps := append(slices.Clone(m.Steps), next.Steps...)
	first := &steps[len(m.Steps)]
	first.Text = joined(m.Content, first.Text)
	m.Steps, m.Content = steps, next.Content
	return m
}

// joined returns two texts as paragraphs, without one that is not visible.
func joined(before, after string) string {
	switch {
	case !IsVisible(before):
		return after
	case !IsVisible(after):
		return before
	}
	return before + paragraph + after
}
