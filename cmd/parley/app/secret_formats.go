package app

import (
	"github.com/parley/parley/modules/auth/adapters/devices"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	authdomain "github.com/parley/parley/modules/auth/domain"
	conversationsdomain "github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/secret"
	"github.com/parley/parley/platform/webhook"
)

// SecretFormats are regular expressions for every secret that the program makes or is given. Each stands beside what makes
// the secret; a new one is added here.
func SecretFormats() []string {
	return []string{
		tokens.Format, authdomain.KeyFormat, authdomain.InvitationFormat, devices.Format, webhook.SecretFormat, secret.Format,
		conversationsdomain.ModelKeyFormat,
	}
}
