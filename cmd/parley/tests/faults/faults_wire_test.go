//go:build faults

package faults

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is what the program reaches its Postgres through. It knows where a batch ends, so that it can cut the connection
// just before the database hears of the end, or just after it has committed and before it can say so.
type wire struct {
	listener net.Listener
	target   string // a unix socket
	cutOneIn atomic.Int64
	cuts     atomic.Int64
	silent   atomic.Bool
	hold     atomic.Int64  // which of the next batches is kept back; 0: none
	held     chan struct{} // closed when it is
	release  chan struct{} // closed to let it go on
}

func newWire(t *testing.T, c *cluster) *wire {
	t.Helper()
	u, err := url.Parse(c.server.URL("parley"))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	w := &wire{held: make(chan struct{}), release: make(chan struct{}), listener: listener, target: u.Query().Get("host") + "/.s.PGSQL.5432"}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go w.carry(client)
		}
	}()
	return w
}

func (w *wire) url() string {
	return fmt.Sprintf("postgres://postgres@%s/parley?sslmode=disable&application_name=parley-under-fault", w.listener.Addr())
}

// carry passes messages on, both ways, until one side or a cut ends it.
func (w *wire) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	cut := make(chan struct{}) // closed when no further answer may reach the client
	ready := make(chan struct{}, 1)
	go w.answers(client, server, cut, ready)
	in := bufio.NewReader(client)
	if err := passStartup(in, server); err != nil {
		return
	}
	var executes bool
	var batch []byte // what belongs together goes out together
	for {
		kind, message, err := readMessage(in)
		if err != nil {
			return
		}
		for w.silent.Load() {
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a wire has no context
		}
		executes = executes || kind == 'E'
		if kind == 'S' && executes && w.hold.Load() > 0 && w.hold.Add(-1) == 0 {
			close(w.held)
			<-w.release
		}
		if strings.IndexByte("PBDEC", kind) >= 0 {
			batch = append(batch, message...)
			continue
		}
		if _, err := server.Write(batch); err != nil {
			return
		}
		batch = nil
		if n := w.cutOneIn.Load(); kind == 'S' && executes && n > 0 && rand.Int64N(n) == 0 {
			w.cuts.Add(1)
			if rand.IntN(3) == 0 {
				return // the database never hears of the end, and rolls back
			}
			close(cut)
			if _, err := server.Write(message); err == nil {
				<-ready // it has committed, and nobody hears of it
			}
			return
		}
		if _, err := server.Write(message); err != nil {
			return
		}
		if kind == 'S' {
			executes = false
		}
	}
}

// answers passes the server's messages on; after the cut it only waits for the server to be ready.
func (w *wire) answers(client, server net.Conn, cut <-chan struct{}, ready chan<- struct{}) {
	defer close(ready)
	defer client.Close()
	in := bufio.NewReader(server)
	for {
		kind, message, err := readMessage(in)
		if err != nil {
			return
		}
		select {
		case <-cut:
			if kind == 'Z' {
				return
			}
			continue
		default:
		}
		if _, err := client.Write(message); err != nil {
			return
		}
	}
}

func passStartup(in io.Reader, server io.Writer) error {
	head := make([]byte, 4)
	if _, err := io.ReadFull(in, head); err != nil {
		return err
	}
	rest := make([]byte, binary.BigEndian.Uint32(head)-4)
	if _, err := io.ReadFull(in, rest); err != nil {
		return err
	}
	_, err := server.Write(append(head, rest...))
	return err
}

func readMessage(in io.Reader) (kind byte, message []byte, err error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	message = append(head, make([]byte, size-4)...)
	_, err = io.ReadFull(in, message[5:])
	return head[0], message, err
}
