package smtp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/adapters/maillog"
	"github.com/parley/parley/modules/auth/adapters/smtp"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
)

// mailbox is a mail server of RFC 5321 that takes what it is sent, or says no to each recipient.
type mailbox struct {
	address string
	refuse  string // the answer to RCPT; empty: it takes them
	mu      sync.Mutex
	letters []string
}

func newMailbox(t *testing.T, refuse string) *mailbox {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	m := &mailbox{address: l.Addr().String(), refuse: refuse}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailbox) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 here")
	for in.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		switch {
		case verb == "RCPT" && m.refuse != "":
			say(m.refuse)
		case verb == "DATA":
			say("354 go on")
			var letter strings.Builder
			for in.Scan() && in.Text() != "." {
				letter.WriteString(in.Text() + "\n")
			}
			m.mu.Lock()
			m.letters = append(m.letters, letter.String())
			m.mu.Unlock()
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// TestEveryMailerKeepsTheContract is the suite that all adapters of ports.Mailer pass.
func TestEveryMailerKeepsTheContract(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, "")
	server, err := smtp.New("smtp://"+box.address, "parley@example.com")
	require.NoError(t, err)
	var log bytes.Buffer
	for name, mailer := range map[string]ports.Mailer{"smtp": server, "log": maillog.Mailer{Log: slog.New(slog.NewJSONHandler(&log, nil))}} {
		require.NoError(t, mailer.Send(t.Context(), domain.Letter{To: "grace@example.com", Subject: "Hello", Text: "the token is inv_1"}), name)
		for _, address := range []string{"", "nobody", "a@b\r\nRCPT TO:<eve@example.com>", "Eve <eve@example.com>", "<eve@example.com>", "a@b, c@d"} {
			require.ErrorIs(t, mailer.Send(t.Context(), domain.Letter{To: address, Subject: "Hello"}), ports.ErrUndeliverable, name)
		}
	}
	require.Len(t, box.letters, 1)
	require.Contains(t, box.letters[0], "grace@example.com")
	require.Contains(t, box.letters[0], "Subject: Hello")
	require.Contains(t, box.letters[0], "inv_1")
	require.Contains(t, log.String(), "not sent")
	require.NotContains(t, log.String(), "inv_1")
	require.NotContains(t, log.String(), "grace@example.com")
}

func TestAServerThatSaysNoForGoodIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	for answer, permanent := range map[string]bool{"550 no such user": true, "450 try later": false} {
		server, err := smtp.New("smtp://"+newMailbox(t, answer).address, "parley@example.com")
		require.NoError(t, err)
		err = server.Send(t.Context(), domain.Letter{To: "grace@example.com", Subject: "Hello", Text: "x"})
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
	box := newMailbox(t, "")
	server, err := smtp.New("smtp://ada:hunter2@"+box.address, "parley@example.com")
	require.NoError(t, err)
	require.Error(t, server.Send(t.Context(), domain.Letter{To: "grace@example.com", Subject: "Hello", Text: "x"}))
	require.Empty(t, box.letters)
}
