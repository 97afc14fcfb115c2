package gateway

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// stallTimeout is how long a client may take nothing of what is written to it before its connection is closed.
	stallTimeout = 15 * time.Second
	writeChunk   = 64 << 10 // bytes that are written at once, so that a slow client is seen to take some
	writeLooks   = 5        // looks within that time whether it has
	// writeBuffer is what the kernel may keep for a connection, in bytes: by default that is up to 4 MB, which nothing here
	// would count. At 100 ms to the client it lets 2.5 MB a second through.
	writeBuffer = 256 << 10
)

// CloseStalled returns a listener that closes a connection when its client has accepted no byte of pending output for
// 15 seconds. It does not close a connection without pending output. Write deadlines that are set on a connection also
// apply.
func CloseStalled(l net.Listener) net.Listener { return stallListener{l, stallTimeout} }

type stallListener struct {
	net.Listener
	timeout time.Duration
}

func (l stallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(writeBuffer) // of a connection that is closed already it fails
	}
	return &stallConn{Conn: conn, timeout: l.timeout}, nil
}

type stallConn struct {
	net.Conn
	timeout time.Duration

	mu       sync.Mutex
	deadline time.Time // that was set; zero: none
}

func (c *stallConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline may be called concurrently with Write, which then ends at the new deadline.
func (c *stallConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetWriteDeadline(t)
}

// look sets the time of the next check of what the client has accepted, and returns the write deadline that also
// applies.
func (c *stallConn) look() (deadline time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := time.Now().Add(c.timeout / writeLooks)
	if !c.deadline.IsZero() && c.deadline.Before(until) {
		until = c.deadline
	}
	return c.deadline, c.Conn.SetWriteDeadline(until)
}

func (c *stallConn) Write(p []byte) (written int, err error) {
	progress := time.Now()
	for len(p) > 0 {
		deadline, err := c.look()
		if err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), writeChunk)])
		written += n
		p = p[n:]
		now := time.Now()
		if n > 0 {
			progress = now
		}
		over := now.Sub(progress) >= c.timeout || !deadline.IsZero() && !now.Before(deadline)
		if err != nil && (over || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return written, err
		}
	}
	return written, nil
}

// CloseWrite closes the writing side. net/http calls it to close a connection while the client may still send.
func (c *stallConn) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return nil
}
