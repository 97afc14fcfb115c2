package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// The receiver of the guide accepts deliveries signed with its secret and refuses others.
func TestTheReceiverOfTheGuideVerifiesSignatures(t *testing.T) { //nolint:paralleltest // its port is taken once
	guide, err := os.ReadFile("../../../../api/guides/channels.md")
	require.NoError(t, err)
	source := regexp.MustCompile(`(?s)receiver\.go <<'EOF'\n(.*?)\nEOF\n`).FindSubmatch(guide)
	require.NotNil(t, source, "the guide has no receiver")
	dir := t.TempDir()
	file, program := filepath.Join(dir, "receiver.go"), filepath.Join(dir, "receiver")
	address := harness.FreeAddress(t)
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(source[1], []byte("127.0.0.1:9999"), []byte(address)), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput()
	require.NoError(t, err, string(out))

	p := harness.Start(t, harness.FastJobs...)
	ada := p.Register(t)
	sub := ada.Subscribe(t, "http://"+address+"/", "bot.updated")
	receiver := exec.CommandContext(t.Context(), program, sub.Secret)
	var printed harness.LockedBuffer
	receiver.Stdout = &printed
	require.NoError(t, receiver.Start())
	t.Cleanup(func() { _ = receiver.Process.Kill(); _ = receiver.Wait() })
	require.Eventually(t, func() bool {
		ping := ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil)
		return ada.Ended(t, ping.Text("id")) == "delivered"
	}, time.Minute, 50*time.Millisecond)
	require.Contains(t, printed.String(), `"type":"ping"`)

	require.NoError(t, receiver.Process.Kill())
	_ = receiver.Wait()
	other := exec.CommandContext(t.Context(), program, ada.Subscribe(t, "http://"+address+"/", "bot.updated").Secret)
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	require.Eventually(t, func() bool {
		ping := ada.Post(t, "/v1/webhook-subscriptions/"+sub.ID+"/ping", nil)
		ada.Ended(t, ping.Text("id"))
		return strings.Contains(string(ada.Get(t, "/v1/webhook-deliveries/"+ping.Text("id")).Raw), "it answered 401")
	}, time.Minute, 50*time.Millisecond, "it believed another's signature")
}
