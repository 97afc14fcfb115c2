package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// sent is one statement as it went over the wire.
type sent struct {
	sql     string
	formats []int16 // as in the Bind message: none, one for all, or one a parameter
	values  [][]byte
}

// tap is a proxy between a program and Postgres on a unix socket that records what the program sends.
type tap struct {
	listener net.Listener
	upstream string

	mu       sync.Mutex
	batches  [][]sent // what went out between two Syncs, with something executed in it
	settings []string // statements of the simple protocol: what a connection says when it is new
}

// openTap listens as a Postgres server would in the folder dir, and passes everything on to the socket upstream.
func openTap(ctx context.Context, dir, upstream string) (*tap, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		return nil, fmt.Errorf("listen between the program and Postgres: %w", err)
	}
	t := &tap{listener: l, upstream: upstream}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go t.pass(ctx, client)
		}
	}()
	return t, nil
}

func (t *tap) close() { _ = t.listener.Close() }

// take returns what was sent since the last call of take.
func (t *tap) take() [][]sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	batches := t.batches
	t.batches = nil
	return batches
}

// connectionSettings returns the simple statements that every connection starts with.
func (t *tap) connectionSettings() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.settings)
}

// pass serves one connection. It records a message before it forwards it, so that every message that has been answered
// has been recorded.
func (t *tap) pass(ctx context.Context, client net.Conn) {
	defer hangUp(client)
	server, err := (&net.Dialer{}).DialContext(ctx, "unix", t.upstream)
	if err != nil {
		return
	}
	defer hangUp(server)
	backend := pgproto3.NewBackend(client, client)
	startup, err := backend.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if !forward(server, startup) {
		return
	}
	go func() {
		defer hangUp(client)
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if _, bad := client.Write(buffer[:n]); err != nil || bad != nil {
				return
			}
		}
	}()
	s := session{tap: t, statements: map[string]string{}}
	for {
		message, err := backend.Receive()
		if err != nil {
			return
		}
		s.note(message)
		if !forward(server, message) {
			return
		}
	}
}

func hangUp(c net.Conn) { _ = c.Close() } // the other side may have done so

func forward(server net.Conn, m pgproto3.FrontendMessage) bool {
	encoded, err := m.Encode(nil)
	if err != nil {
		return false
	}
	_, err = server.Write(encoded)
	return err == nil
}

// session is what is known of one connection.
type session struct {
	tap        *tap
	statements map[string]string // SQL by the name it was prepared under
	batch      []sent
	executed   bool
}

func (s *session) note(m pgproto3.FrontendMessage) {
	switch m := m.(type) {
	case *pgproto3.Parse:
		s.statements[m.Name] = m.Query
	case *pgproto3.Bind:
		values := make([][]byte, len(m.Parameters))
		for i, v := range m.Parameters {
			values[i] = slices.Clone(v)
		}
		s.batch = append(s.batch, sent{
			sql: s.statements[m.PreparedStatement], formats: slices.Clone(m.ParameterFormatCodes), values: values,
		})
	case *pgproto3.Execute:
		s.executed = true
	case *pgproto3.Query:
		s.tap.mu.Lock()
		defer s.tap.mu.Unlock()
		if !slices.Contains(s.tap.settings, m.String) {
			s.tap.settings = append(s.tap.settings, m.String)
		}
	case *pgproto3.Sync:
		if s.executed {
			s.tap.mu.Lock()
			s.tap.batches = append(s.tap.batches, s.batch)
			s.tap.mu.Unlock()
		}
		s.batch, s.executed = nil, false
	}
}
