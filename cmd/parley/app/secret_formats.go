package app

import (
	"github.com/parley/parley/modules/auth/adapters/devices"
	"github.com/parley/parley/modules/auth/adapters/tokens"
	"github.com/parley/parley/modules/auth/adapters/totp"
	authdomain "github.com/parley/parley/modules/auth/domain"
	conversationsdomain "github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/work/webhook"
)

// SecretFormats returns regular expressions for every secret that the program creates or is configured with. Each
// expression is declared beside the code that creates the secret. Add a new one here.
func SecretFormats() []string {
	return []string{
		tokens.Format, authdomain.KeyFormat, authdomain.InvitationFormat, authdomain.LinkFormat, authdomain.SetUpFormat, authdomain.SignInCodeFormat, authdomain.TicketFormat, authdomain.RecoveryCodeFormat,
		totp.Format, devices.Format, webhook.SecretFormat, secret.Format,
		conversationsdomain.ModelKeyFormat,
	}
}
