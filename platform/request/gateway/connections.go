package gateway

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/parley/parley/platform/request/fail"
)

// Connections is a listener with a maximum number of open connections. It rejects further connections at once, with a
// short 503 response, or by closing them if many are rejected at the same moment. Clients therefore do not hang until a
// file descriptor is free.
type Connections struct {
	net.Listener
	limit         int64
	log           *slog.Logger
	open, refused atomic.Int64
	refusing      chan struct{} // a place for each refusal that is being written
	spare         *os.File      // given up to accept, and close, a connection where no descriptor is free; used by Accept alone
	lastLogged    time.Time     // when refusals were last logged; used by Accept alone
}

const (
	// RefusalDescriptors is how many file descriptors Connections uses in addition to its limit.
	RefusalDescriptors = maxRefusals + 1
	maxRefusals        = 16
	refusalTimeout     = time.Second // for a client to send its request and take the refusal
	refusalLogInterval = 10 * time.Second
	acceptPause        = 10 * time.Millisecond // where no descriptor is free at all
)

// BoundConnections returns a Connections on a listener.
func BoundConnections(l net.Listener, limit int, log *slog.Logger) *Connections {
	spare, _ := os.Open(os.DevNull) // nil where there is none: then Accept waits
	return &Connections{Listener: l, limit: int64(limit), log: log, refusing: make(chan struct{}, maxRefusals), spare: spare}
}

// Open returns how many connections are open, and how many may be.
func (c *Connections) Open() (open, limit int64) { return c.open.Load(), c.limit }

// Refused returns how many connections have been refused since the start.
func (c *Connections) Refused() int64 { return c.refused.Load() }

// Accept returns the next connection within the limit. Only one goroutine may call it at a time.
func (c *Connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		switch {
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			c.count(err)
			c.closeNext()
		case err != nil:
			return nil, err
		case c.open.Add(1) <= c.limit:
			return &boundConn{Conn: conn, closed: sync.OnceFunc(func() { c.open.Add(-1) })}, nil
		default:
			c.open.Add(-1)
			c.count(nil)
			c.refuse(conn)
		}
	}
}

// count counts a refusal, and logs it where none was logged lately.
func (c *Connections) count(cause error) {
	refused := c.refused.Add(1)
	if now := time.Now(); now.Sub(c.lastLogged) >= refusalLogInterval {
		c.lastLogged = now
		c.log.Warn("connections were refused, as too many are open: raise the limit of open files (ulimit -n), or look for clients that open too many",
			"limit", c.limit, "refused_since_start", refused, "error", cause)
	}
}

// closeNext accepts the next connection with the spare descriptor, and closes it.
func (c *Connections) closeNext() {
	if c.spare != nil {
		_ = c.spare.Close()
		if conn, err := c.Listener.Accept(); err == nil {
			_ = conn.Close()
		}
	}
	if c.spare, _ = os.Open(os.DevNull); c.spare == nil {
		time.Sleep(acceptPause) //nolint:forbidigo // another may take the descriptor meanwhile, and give it back
	}
}

// refusal returns the response to a connection that is rejected.
func refusal() []byte {
	body := `{"code":"` + fail.ErrUnavailable.Code + `","message":"too many connections are open: try again shortly","trace_id":"none","details":null}` + "\n"
	return []byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\nRetry-After: 1\r\n" +
		headerTraceID + ": none\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// refuse answers the first request of a connection with 503, whatever it requests, and closes the connection.
func (c *Connections) refuse(conn net.Conn) {
	select {
	case c.refusing <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { <-c.refusing }()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(refusalTimeout))
		if _, err := conn.Read(make([]byte, 4<<10)); err != nil { // a client takes an answer for one only after its request
			return
		}
		if _, err := conn.Write(refusal()); err != nil {
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, conn, 64<<10) // what is closed with bytes unread is reset, and the answer with it
		}
	}()
}

// boundConn is a connection that no longer counts against the limit once it is closed.
type boundConn struct {
	net.Conn
	closed func()
}

func (c *boundConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// CloseWrite closes the writing side. net/http calls it to close a connection while the client may still send.
func (c *boundConn) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return nil
}
