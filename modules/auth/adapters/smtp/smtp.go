// Package smtp sends emails through a mail server.
package smtp

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// Mailer sends emails through a mail server. It is safe for concurrent use.
type Mailer struct {
	host    string
	from    string
	options []mail.Option
}

const timeout = 20 * time.Second

// New makes a Mailer from smtp://user:password@host:port or smtps://…. With smtp it uses TLS where the server offers
// it, and sends a password only over TLS. With smtps it uses TLS from the start.
func New(address, from string) (*Mailer, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("SMTP_URL: should be smtp://user:password@host:port")
	}
	m := &Mailer{host: u.Hostname(), from: from, options: []mail.Option{mail.WithTimeout(timeout)}}
	port := 587
	switch {
	case u.Scheme == "smtps":
		port = 465
		m.options = append(m.options, mail.WithSSL())
	case u.User != nil:
		m.options = append(m.options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		m.options = append(m.options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, errors.New("SMTP_URL: its port is none")
		}
	}
	m.options = append(m.options, mail.WithPort(port))
	if u.User != nil {
		password, _ := u.User.Password()
		m.options = append(m.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	return m, nil
}

func (m *Mailer) Send(ctx context.Context, l domain.EmailMessage) error {
	message := mail.NewMsg()
	if err := message.From(m.from); err != nil {
		return errors.New("MAIL_FROM is no address")
	}
	if to, err := netmail.ParseAddress(l.To); err != nil || to.Address != l.To { // one address, and nothing beside it
		return fmt.Errorf("%w: its address is none", ports.ErrUndeliverable)
	}
	if err := message.To(l.To); err != nil {
		return fmt.Errorf("%w: its address is none", ports.ErrUndeliverable)
	}
	message.Subject(l.Subject)
	message.SetBodyString(mail.TypeTextPlain, l.Text)
	if l.HTML != "" {
		message.AddAlternativeString(mail.TypeTextHTML, l.HTML)
	}
	client, err := mail.NewClient(m.host, m.options...)
	if err != nil {
		return fmt.Errorf("make a client of the mail server: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, message)
	if e, ok := errors.AsType[*mail.SendError](err); ok && !e.IsTemp() && e.ErrorCode() >= 500 {
		return fmt.Errorf("%w: the mail server answered %d", ports.ErrUndeliverable, e.ErrorCode())
	}
	if err != nil {
		return fmt.Errorf("send the email: %w", err)
	}
	return nil
}
