package harness

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	Root = "../../../.."
	Ours = "github.com/parley/parley/"
)

// Ended waits for the end of a delivery and says which it was.
func (c *Caller) Ended(t *testing.T, delivery string) (status string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status = c.Get(t, "/v1/webhook-deliveries/"+delivery).Text("status")
		return status != "pending"
	}, time.Minute, 10*time.Millisecond)
	return status
}

// LockedBuffer keeps what a process prints.
type LockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *LockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *LockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// FreeAddress gives an address that nobody listens at.
func FreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
