package smtp_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/maillog"
	"github.com/parley/parley/modules/auth/adapters/smtp"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/testing/mailtest"
)

// TestEveryMailerKeepsTheContract is the suite that all adapters of ports.Mailer pass.
func TestEveryMailerKeepsTheContract(t *testing.T) {
	t.Parallel()
	box := mailtest.New(t)
	server, err := smtp.New("smtp://"+box.Address, "parley@example.com")
	require.NoError(t, err)
	var log bytes.Buffer
	for name, mailer := range map[string]ports.Mailer{"smtp": server, "log": maillog.Mailer{Log: slog.New(slog.NewJSONHandler(&log, nil))}} {
		require.NoError(t, mailer.Send(t.Context(), domain.EmailMessage{To: "grace@example.com", Subject: "Hello", Text: "the token is inv_1", HTML: "<p>the token is inv_1</p>"}), name)
		for _, address := range []string{"", "nobody", "a@b\r\nRCPT TO:<eve@example.com>", "Eve <eve@example.com>", "<eve@example.com>", "a@b, c@d"} {
			require.ErrorIs(t, mailer.Send(t.Context(), domain.EmailMessage{To: address, Subject: "Hello"}), ports.ErrUndeliverable, name)
		}
	}
	require.Equal(t, []mailtest.Message{{
		To: "grace@example.com", Subject: "Hello", Text: "the token is inv_1", HTML: "<p>the token is inv_1</p>",
	}}, box.To(t, "grace@example.com"))
	require.Len(t, box.Raw(), 1)
	require.Contains(t, log.String(), "not sent")
	require.NotContains(t, log.String(), "inv_1")
	require.NotContains(t, log.String(), "grace@example.com")
}

func TestAServerThatSaysNoForGoodIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	for answer, permanent := range map[string]bool{"550 no such user": true, "450 try later": false} {
		box := mailtest.New(t)
		box.Refuse(answer)
		server, err := smtp.New("smtp://"+box.Address, "parley@example.com")
		require.NoError(t, err)
		err = server.Send(t.Context(), domain.EmailMessage{To: "grace@example.com", Subject: "Hello", Text: "x"})
		require.Error(t, err)
		if permanent {
			require.ErrorIs(t, err, ports.ErrUndeliverable)
		} else {
			require.NotErrorIs(t, err, ports.ErrUndeliverable)
		}
	}
}

func TestAPasswordGoesOutOverTLSOnly(t *testing.T) {
	t.Parallel()
	box := mailtest.New(t)
	server, err := smtp.New("smtp://ada:hunter2@"+box.Address, "parley@example.com")
	require.NoError(t, err)
	require.Error(t, server.Send(t.Context(), domain.EmailMessage{To: "grace@example.com", Subject: "Hello", Text: "x"}))
	require.Empty(t, box.Raw())
}
