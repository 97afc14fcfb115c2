package rest

import (
	"strconv"
	"strings"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/usecases"
	"github.com/parley/parley/platform/request/fail"
)

// The mapping of the fields of a bot, in both directions. A field that is forgotten fails TestNoFieldOfABotIsForgotten.

func toAttributes(body CreateBotJSONRequestBody) domain.Attributes {
	return domain.Attributes{Name: body.Name}
}

func toChanges(body ChangeBotJSONRequestBody) domain.Changes {
	return domain.Changes{Name: body.Name, Status: (*domain.Status)(body.Status)}
}

// created returns the changes that the audit log stores for a new bot.
func created(b domain.Bot) map[string]any { return map[string]any{"name": b.Name} }

// changed returns the changes that the audit log stores for a changed bot.
func changed(c domain.Changes) map[string]any {
	changes := map[string]any{}
	if c.Name != nil {
		changes["name"] = *c.Name
	}
	if c.Status != nil {
		changes["status"] = *c.Status
	}
	return changes
}

func toBot(b domain.Bot) Bot {
	return Bot{
		ID:               b.ID,
		WorkspaceID:      b.WorkspaceID,
		Name:             b.Name,
		Status:           BotStatus(b.Status),
		CurrentVersion:   int32(b.CurrentVersion),
		PublishedVersion: int32(b.PublishedVersion),
		Instruction:      b.Content.Instruction(),
		Settings:         b.Content.Settings(),
		CreatedAt:        b.CreatedAt,
		UpdatedAt:        b.UpdatedAt,
	}
}

// toWritten is toBot for the response of a call that has written a version.
func toWritten(b domain.Bot) Bot {
	bot := toBot(b)
	for _, w := range b.Warnings {
		bot.Warnings = append(bot.Warnings, Warning{Field: w.Field, Code: w.Code, Message: w.Message})
	}
	return bot
}

func toSummary(b domain.Bot) BotSummary {
	return BotSummary{
		ID:               b.ID,
		WorkspaceID:      b.WorkspaceID,
		Name:             b.Name,
		Status:           BotStatus(b.Status),
		CurrentVersion:   int32(b.CurrentVersion),
		PublishedVersion: int32(b.PublishedVersion),
		CreatedAt:        b.CreatedAt,
		UpdatedAt:        b.UpdatedAt,
	}
}

func toVersion(v usecases.HashedVersion) BotVersion {
	return BotVersion{
		BotID:       v.BotID,
		Version:     int32(v.Number),
		Instruction: v.Content.Instruction(),
		Settings:    v.Content.Settings(),
		Note:        v.Note,
		ContentHash: v.Hash,
		CreatedBy:   v.CreatedBy,
		CreatedAt:   v.CreatedAt,
	}
}

func toPointerMove(m domain.PointerChange) PointerMove {
	move := PointerMove{
		Number: int32(m.Number), Pointer: PointerMovePointer(m.Pointer), ToVersion: int32(m.To), Cause: PointerMoveCause(m.Cause),
		MovedBy: m.By, MovedAt: m.At,
	}
	if m.From != 0 {
		from := int32(m.From)
		move.FromVersion = &from
	}
	return move
}

// tag returns the ETag of a bot: its current version.
func tag(b domain.Bot) *string {
	t := strconv.Quote(strconv.Itoa(b.CurrentVersion))
	return &t
}

// expected reads If-Match. It accepts one version in quotes, as tag writes it, and the same as a weak ETag, which
// proxies that compress make of it. It returns 0, for any version, where the header is missing or *.
func expected(header *string) (int, error) {
	if header == nil || *header == "*" {
		return 0, nil
	}
	value := strings.TrimPrefix(*header, "W/")
	if n := len(value); n > 2 && value[0] == '"' && value[n-1] == '"' {
		version, err := strconv.ParseInt(value[1:n-1], 10, 32)
		if err == nil && version > 0 && value[1] >= '1' { // no sign, no leading zero
			return int(version), nil
		}
	}
	return 0, fail.Fields(fail.Field{Field: "If-Match", Code: "INVALID_FORMAT", Message: `must be the ETag of a bot, such as "3"`})
}
