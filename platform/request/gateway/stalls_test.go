package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveStalled serves a handler on a listener that lets go of clients which take nothing for so long.
func serveStalled(t *testing.T, timeout time.Duration, h http.HandlerFunc) (dial func() net.Conn) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(stallListener{l, timeout}) }()
	t.Cleanup(func() { _ = server.Close() })
	return func() net.Conn {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		return conn
	}
}

// wait lets time pass, as a slow client does.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

const muchToWrite = 32 << 20 // more than kernels buffer

func TestAClientThatTakesNothingIsLetGo(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	dial := serveStalled(t, 200*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, muchToWrite))
		failed <- err
	})
	dial()
	select {
	case err := <-failed:
		require.Error(t, err)
	case <-time.After(time.Minute):
		t.Fatal("a client that takes nothing is written to for ever")
	}
}

func TestAClientThatTakesSomeIsNotLetGoHoweverSlowItIs(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), muchToWrite)
	dial := serveStalled(t, time.Second, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	conn := dial()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	got := 0
	for buffer := make([]byte, muchToWrite/16); ; { // for longer than the second, with nothing taken for a tenth of it
		n, err := io.ReadFull(res.Body, buffer)
		got += n
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		wait(t, 100*time.Millisecond)
	}
	require.Equal(t, muchToWrite, got)
}

func TestAnIdleAnswerIsNotCutAndADeadlineThatIsSetHolds(t *testing.T) {
	t.Parallel()
	written := make(chan error, 1)
	dial := serveStalled(t, 100*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		_, _ = io.WriteString(w, "begun ")
		_ = control.Flush()
		wait(t, 500*time.Millisecond) // as a stream that has nothing to tell
		_, _ = io.WriteString(w, "ended")
		_ = control.Flush()
		_ = control.SetWriteDeadline(time.Now().Add(-time.Second))
		_, err := io.WriteString(w, "late")
		written <- err
	})
	res, err := http.ReadResponse(bufio.NewReader(dial()), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	text := make([]byte, len("begun ended"))
	_, err = io.ReadFull(res.Body, text)
	require.NoError(t, err)
	require.Equal(t, "begun ended", string(text))
	rest, err := io.ReadAll(res.Body)
	require.Error(t, err, "%q came after the deadline", rest)
	<-written
}

func TestADeadlineThatIsSetBesideAWriteEndsIt(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	dial := serveStalled(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
		time.AfterFunc(100*time.Millisecond, func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Now()) })
		_, err := w.Write(make([]byte, muchToWrite))
		failed <- err
	})
	dial()
	select {
	case err := <-failed:
		require.Error(t, err)
	case <-time.After(time.Minute):
		t.Fatal("a write goes on past the deadline")
	}
}
