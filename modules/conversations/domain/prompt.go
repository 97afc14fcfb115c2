package domain

// What of a thread a model is given. Providers refuse a history that does not begin with the user, in which roles do not
// alternate, or that has a blank message; what is stored may be any of these.

// paragraph separates messages that become one.
const paragraph = "\n\n"

// Speaking returns the messages of a history that can be sent to a model: those of the user and the assistant that are
// visible.
func Speaking(history []Message) []Message {
	speaking := make([]Message, 0, len(history))
	for _, m := range history {
		if (m.Role == RoleUser || m.Role == RoleAssistant) && IsVisible(m.Content) {
			speaking = append(speaking, m)
		}
	}
	return speaking
}

// Alternate converts a history and the user's message after it into a form that every provider accepts. The history
// begins with the user, user and assistant alternate in it, and its last message is the assistant's. Consecutive
// messages of one role become one, in paragraphs. Unanswered messages of the user at the end of the history are put
// before the content. The history must be a result of Speaking.
func Alternate(history []Message, content string) (alternating []Message, withUnanswered string) {
	for _, m := range history {
		last := len(alternating) - 1
		switch {
		case last < 0 && m.Role != RoleUser:
		case last < 0 || alternating[last].Role != m.Role:
			alternating = append(alternating, m)
		default:
			alternating[last].Content += paragraph + m.Content
		}
	}
	if last := len(alternating) - 1; last >= 0 && alternating[last].Role == RoleUser {
		content = alternating[last].Content + paragraph + content
		alternating = alternating[:last]
	}
	return alternating, content
}
