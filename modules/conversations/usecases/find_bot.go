package usecases

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// FindBot finds the bot that a caller of a compatible API names as the model.
type FindBot struct{ Bots ports.Bots }

// maxVersion is the largest number of a version that the database has.
const maxVersion = 1<<31 - 1

// Do returns the bot, and its version where the model names one. The model is the id of a bot, id@version, or a name
// that only one bot has; otherwise the error is ports.ErrNoSuchModel. Chat keys ask the published version and no other; end
// users name no version, so that they do not learn which one is published.
func (u FindBot) Do(ctx context.Context, model string) (bot ports.Bot, version *int, err error) {
	text, after, named := strings.Cut(model, "@")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.Nil.String()) {
		bot, err = u.Bots.ByName(ctx, model)
		return bot, nil, err
	}
	p := callctx.From(ctx).Principal
	if named {
		n, err := strconv.Atoi(after)
		if err != nil || n < 1 || n > maxVersion || p.EndUser != nil {
			return bot, nil, ports.ErrNoSuchModel
		}
		version = &n
	}
	bot, err = u.Bots.ByID(ctx, id, version, p.Own)
	return bot, version, err
}
