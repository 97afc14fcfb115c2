package rest

import "github.com/parley/parley/modules/bots/domain"

func toBot(b domain.Bot) Bot {
	return Bot{
		ID:             b.ID,
		WorkspaceID:    b.WorkspaceID,
		Name:           b.Name,
		Status:         BotStatus(b.Status),
		CurrentVersion: int32(b.CurrentVersion),
		Instruction:    b.Content.Instruction(),
		Settings:       b.Content.Settings(),
		CreatedAt:      b.CreatedAt,
		UpdatedAt:      b.UpdatedAt,
	}
}

func toSummary(b domain.Bot) BotSummary {
	return BotSummary{
		ID:             b.ID,
		WorkspaceID:    b.WorkspaceID,
		Name:           b.Name,
		Status:         BotStatus(b.Status),
		CurrentVersion: int32(b.CurrentVersion),
		CreatedAt:      b.CreatedAt,
		UpdatedAt:      b.UpdatedAt,
	}
}

func toVersion(v domain.Version) BotVersion {
	return BotVersion{
		BotID:       v.BotID,
		Version:     int32(v.Number),
		Instruction: v.Content.Instruction(),
		Settings:    v.Content.Settings(),
		CreatedBy:   v.CreatedBy,
		CreatedAt:   v.CreatedAt,
	}
}
