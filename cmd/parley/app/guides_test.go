package app

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The receiver of the guide accepts deliveries signed with its secret and refuses others.
func TestTheReceiverOfTheGuideVerifiesSignatures(t *testing.T) { //nolint:paralleltest // its port is taken once
	guide, err := os.ReadFile("../../api/guides/channels.md")
	require.NoError(t, err)
	source := regexp.MustCompile(`(?s)receiver\.go <<'EOF'\n(.*?)\nEOF\n`).FindSubmatch(guide)
	require.NotNil(t, source, "the guide has no receiver")
	dir := t.TempDir()
	file, program := filepath.Join(dir, "receiver.go"), filepath.Join(dir, "receiver")
	address := freeAddress(t)
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(source[1], []byte("127.0.0.1:9999"), []byte(address)), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput()
	require.NoError(t, err, string(out))

	p := start(t, fastJobs...)
	ada := p.register(t)
	sub := ada.subscribe(t, "http://"+address+"/", "bot.updated")
	receiver := exec.CommandContext(t.Context(), program, sub.secret)
	var printed lockedBuffer
	receiver.Stdout = &printed
	require.NoError(t, receiver.Start())
	t.Cleanup(func() { _ = receiver.Process.Kill(); _ = receiver.Wait() })
	require.Eventually(t, func() bool {
		ping := ada.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil)
		return ada.ended(t, ping.text("id")) == "delivered"
	}, 20*time.Second, 50*time.Millisecond)
	require.Contains(t, printed.String(), `"type":"ping"`)

	require.NoError(t, receiver.Process.Kill())
	_ = receiver.Wait()
	other := exec.CommandContext(t.Context(), program, ada.subscribe(t, "http://"+address+"/", "bot.updated").secret)
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	require.Eventually(t, func() bool {
		ping := ada.post(t, "/v1/webhook-subscriptions/"+sub.id+"/ping", nil)
		ada.ended(t, ping.text("id"))
		return strings.Contains(string(ada.get(t, "/v1/webhook-deliveries/"+ping.text("id")).Raw), "it answered 401")
	}, 20*time.Second, 50*time.Millisecond, "it believed another's signature")
}

// ended waits for the end of a delivery and says which it was.
func (c *caller) ended(t *testing.T, delivery string) (status string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status = c.get(t, "/v1/webhook-deliveries/"+delivery).text("status")
		return status != "pending"
	}, 20*time.Second, 10*time.Millisecond)
	return status
}

// lockedBuffer keeps what a process prints.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// freeAddress gives an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
