package telemetry

import (
	"io"
	"sync"
	"time"
)

// Batch is a writer that combines many small writes to another writer: lines that are written shortly after each other
// are written together. A line after a pause is written at once, any other line after at most 100 ms. Held lines are
// lost if the process is killed. It is safe for concurrent use.
type Batch struct {
	mu    sync.Mutex
	to    io.Writer
	held  []byte
	last  time.Time // of the last writing
	timer *time.Timer
}

const (
	batchBytes = 64 << 10
	batchTime  = 100 * time.Millisecond
)

// NewBatch returns a Batch in front of a writer.
func NewBatch(to io.Writer) *Batch {
	b := &Batch{to: to, held: make([]byte, 0, batchBytes)}
	b.timer = time.AfterFunc(time.Hour, func() { _ = b.Flush() })
	b.timer.Stop()
	return b
}

// Write adds a line to the batch. It returns an error if the held lines have to be written first and that fails.
func (b *Batch) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.held)+len(line) > batchBytes {
		if err := b.flush(); err != nil {
			return 0, err
		}
	}
	if len(b.held) == 0 {
		if len(line) > batchBytes || time.Since(b.last) > batchTime {
			b.last = time.Now()
			return b.to.Write(line)
		}
		b.timer.Reset(batchTime)
	}
	b.held = append(b.held, line...)
	return len(line), nil
}

// Flush writes the held lines.
func (b *Batch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flush()
}

func (b *Batch) flush() error {
	b.timer.Stop()
	if len(b.held) == 0 {
		return nil
	}
	_, err := b.to.Write(b.held)
	b.held, b.last = b.held[:0], time.Now()
	return err
}
