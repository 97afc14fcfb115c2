package rest

import (
	"encoding/json"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/page"
)

func toThread(t domain.Thread) Thread {
	thread := Thread{
		ID: t.ID, WorkspaceID: t.WorkspaceID, BotID: t.BotID, EndUserID: t.EndUserID, Status: ThreadStatus(t.Status), Title: t.Title, Metadata: t.Metadata,
		Variables: t.Variables.OrNone(),
		CreatedAt: t.CreatedAt, LastMessageAt: t.LastMessageAt, CurrentTurnID: t.CurrentTurnID, Trial: t.Trial,
	}
	if t.Channel != nil {
		thread.Channel = &Channel{EndpointID: t.Channel.EndpointID, ConversationID: t.Channel.ConversationID}
	}
	return thread
}

func toMessage(m domain.Message) Message {
	message := Message{
		ID: m.ID, ThreadID: m.ThreadID, TurnID: m.TurnID, Seq: m.Seq, Role: MessageRole(m.Role), Content: m.Content, Status: statusOf(m),
		OperationID: m.OperationID, CreatedAt: m.CreatedAt, Citations: page.Map(m.Citations, toCitation), Output: outputOf(m),
		Attachments: page.Map(m.Attachments, toAttachment),
	}
	if f := m.Feedback; f != nil {
		message.Feedback = &GivenFeedback{Rating: Rating(f.Rating), Comment: f.Comment, UpdatedAt: f.At}
	}
	return message
}

func toAttachment(a domain.Attachment) Attachment {
	return Attachment{FileID: a.FileID, Name: a.Name, MediaType: a.MediaType, Size: a.Size, Deleted: a.Deleted}
}

func toCitation(c domain.Citation) Citation {
	return Citation{
		Number: c.Number, DocumentID: c.DocumentID, Title: c.Title, ChunkID: c.ChunkID, Page: c.Page, Start: c.Start, End: c.End, Quote: c.Quote,
	}
}

func statusOf(m domain.Message) MessageStatus {
	if m.Cancelled {
		return MessageStatusCancelled
	}
	return MessageStatusCompleted
}

func toTurn(t domain.Turn, answer domain.Message, reply domain.Reply) Turn {
	turn := Turn{
		TurnID: t.ID, ThreadID: t.ThreadID, ParentTurnID: t.ParentID, UserMessage: toMessage(t.User), AssistantMessage: toMessage(answer),
		Provider: reply.Provider, Model: reply.Model, FinishReason: reply.FinishedBy(),
		LatencyMs: reply.Latency.Milliseconds(), FirstTokenMs: reply.FirstTokenMS(),
		InputTokens: reply.InputTokens, CachedTokens: reply.CachedTokens, OutputTokens: reply.OutputTokens, CostMicros: reply.CostMicros,
		UsageEstimated: reply.Estimated,
	}
	if t.Pinned != nil {
		version := int32(t.Pinned.Version)
		turn.BotID, turn.BotVersion = &t.Pinned.BotID, &version
	}
	return turn
}

// outputOf returns the object that an answer is; nil for a text.
func outputOf(m domain.Message) *json.RawMessage {
	output := m.Output()
	if output == nil {
		return nil
	}
	return &output
}
