// Package maillog stands in for a mail server where there is none: it notes that a letter would have gone out, and neither
// to whom nor what it says, as letters have secrets. Who invites has the token in the answer of the call.
package maillog

import (
	"context"
	"fmt"
	"log/slog"
	"net/mail"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// Mailer implements ports.Mailer.
type Mailer struct{ Log *slog.Logger }

// Send implements ports.Mailer.
func (m Mailer) Send(ctx context.Context, l domain.Letter) error {
	if to, err := mail.ParseAddress(l.To); err != nil || to.Address != l.To {
		return fmt.Errorf("%w: its address is none", ports.ErrUndeliverable)
	}
	m.Log.InfoContext(ctx, "a letter was not sent: SMTP_URL is not set", "subject", l.Subject)
	return nil
}
