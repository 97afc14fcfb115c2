package postgres

import (
	"errors"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// hungUp tells whether the server has ended an idle connection, as it does when it stops or a backend is terminated: a
// look at the socket, with no round trip and no waiting. A server has nothing to say on an idle connection but that, or
// a notice, for which a new connection is a small price. The look cannot see a server that has vanished without a word.
func hungUp(c *pgx.Conn) bool {
	conn := c.PgConn().Conn()
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	quiet := true
	// Control, not Read: the driver may have left a goroutine in a read of this connection, and Read would wait for that.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
	})
	return err == nil && !quiet
}
