// Package mailtest is a mail server for tests. It keeps what it receives.
package mailtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Server is a mail server (RFC 5321) on a loopback address. It offers neither TLS nor authentication.
type Server struct {
	Address string // host:port

	mu     sync.Mutex
	refuse string
	raw    []string
}

// Message is a received email.
type Message struct {
	To, Subject string
	Text, HTML  string // HTML is empty where there is none
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	s := &Server{Address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// Refuse sets the answer to each recipient, such as "550 no such mailbox"; "" accepts all.
func (s *Server) Refuse(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = answer
}

func (s *Server) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewScanner(conn)
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 here")
	for in.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		s.mu.Lock()
		refuse := s.refuse
		s.mu.Unlock()
		switch {
		case verb == "RCPT" && refuse != "":
			say(refuse)
		case verb == "DATA":
			say("354 go on")
			var message strings.Builder
			for in.Scan() && in.Text() != "." {
				message.WriteString(in.Text() + "\r\n")
			}
			s.mu.Lock()
			s.raw = append(s.raw, message.String())
			s.mu.Unlock()
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// Raw returns all messages as they were received, oldest first.
func (s *Server) Raw() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.raw)
}

// To returns the messages to an address, oldest first.
func (s *Server) To(t testing.TB, address string) (list []Message) {
	t.Helper()
	for _, raw := range s.Raw() {
		m, err := parse(raw)
		require.NoError(t, err, raw)
		if m.To == address {
			list = append(list, m)
		}
	}
	return list
}

// Wait waits until an address has received n messages with a subject, and returns the last.
func (s *Server) Wait(t testing.TB, address, subject string, n int) (last Message) {
	t.Helper()
	require.Eventually(t, func() bool {
		found := 0
		for _, m := range s.To(t, address) {
			if m.Subject == subject {
				found, last = found+1, m
			}
		}
		return found >= n
	}, time.Minute, 20*time.Millisecond, "%s has not received %d of %q", address, n, subject)
	return last
}

func parse(raw string) (m Message, err error) {
	read, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return m, err
	}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject")); err != nil {
		return m, err
	}
	to, err := mail.ParseAddress(read.Header.Get("To"))
	if err != nil {
		return m, err
	}
	m.To = to.Address
	kind, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil {
		return m, err
	}
	if kind != "multipart/alternative" {
		m.Text, err = decode(read.Body, read.Header.Get("Content-Transfer-Encoding"))
		return m, err
	}
	for parts := multipart.NewReader(read.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		text, err := decode(part, part.Header.Get("Content-Transfer-Encoding"))
		if err != nil {
			return m, err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			m.HTML = text
		} else {
			m.Text = text
		}
	}
}

func decode(r io.Reader, encoding string) (string, error) {
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	all, err := io.ReadAll(r)
	return string(bytes.ReplaceAll(all, []byte("\r\n"), []byte("\n"))), err
}
