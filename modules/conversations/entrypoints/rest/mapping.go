package rest

import "github.com/parley/parley/modules/conversations/domain"

func toThread(t domain.Thread) Thread {
	thread := Thread{
		ID: t.ID, WorkspaceID: t.WorkspaceID, BotID: t.BotID, Status: ThreadStatus(t.Status), CreatedAt: t.CreatedAt,
	}
	if t.Channel != nil {
		thread.Channel = &Channel{EndpointID: t.Channel.EndpointID, ConversationID: t.Channel.ConversationID}
	}
	return thread
}

func toMessage(m domain.Message) Message {
	message := Message{
		ID: m.ID, ThreadID: m.ThreadID, Seq: m.Seq, Role: MessageRole(m.Role), Content: m.Content, Status: MessageStatusCompleted,
		OperationID: m.OperationID, CreatedAt: m.CreatedAt,
	}
	if m.Cancelled {
		message.Status = MessageStatusCancelled
	}
	return message
}

func toTurn(t domain.Turn, answer domain.Message) Turn {
	turn := Turn{
		TurnID: t.ID, ThreadID: t.ThreadID, UserMessage: toMessage(t.User), AssistantMessage: toMessage(answer),
	}
	if t.Pinned != nil {
		version := int32(t.Pinned.Version)
		turn.BotID, turn.BotVersion = &t.Pinned.BotID, &version
	}
	return turn
}
