package postgres

import (
	"errors"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// hungUp reports whether the server has ended an idle connection, as it does when it stops or a backend is terminated.
// It inspects the socket, without a round trip and without waiting. On an idle connection a server sends only that, or
// a notice; replacing the connection after a notice costs little. hungUp does not detect a server that has vanished
// without closing the connection.
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
