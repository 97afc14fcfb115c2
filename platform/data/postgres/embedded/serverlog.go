package embedded

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	longestLog   = 8 << 20 // bytes; a longer log is emptied at the next start
	tailBytes    = 4 << 10
	tailMaxLines = 12
)

// serverLog is the file that a server writes its messages to.
type serverLog struct {
	path  string
	file  *os.File // open only while the server is being started
	start int64    // where the messages of this run begin
}

func openLog(path string) (*serverLog, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log of postgres: %w", err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil && size > longestLog {
		size, err = 0, file.Truncate(0)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot shorten the log of postgres: %w", err)
	}
	return &serverLog{path: path, file: file, start: size}, nil
}

// tail is the end of this run's messages, to be put after an error.
func (l *serverLog) tail() string {
	file, err := os.Open(l.path)
	if err != nil {
		return ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	from := max(l.start, info.Size()-tailBytes)
	content, err := io.ReadAll(io.NewSectionReader(file, from, tailBytes))
	if err != nil {
		return ""
	}
	return lastLines(content)
}

func lastLines(output []byte) string {
	text := strings.TrimSpace(string(output))
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-tailMaxLines):]
	return "; its last lines:\n" + strings.Join(lines, "\n")
}
