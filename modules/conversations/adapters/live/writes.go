package live

import (
	"sync"
	"time"
)

const (
	maxWriters = 4 // batches that are written at once: streams must not take the requests' connections

	// A stream waits for batchTime between two batches, or for streamTime for each stream that runs, if that is longer: however
	// many there are, they write no more than 500 batches a second.
	batchTime  = 100 * time.Millisecond
	streamTime = 2 * time.Millisecond
)

// writes stores what streamed attempts say, in batches. Attempts take turns, in the order in which they had something to
// store. The goroutines that write end when nothing is left. It is safe for concurrent use.
type writes struct {
	mu      sync.Mutex
	due     []*voice
	writers int
}

// add queues an attempt that has something to store.
func (w *writes) add(v *voice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = append(w.due, v)
	if w.writers < maxWriters {
		w.writers++
		go w.run()
	}
}

func (w *writes) run() {
	for v := w.next(); v != nil; v = w.next() {
		v.store()
	}
}

// next takes the attempt that has waited longest; nil where none waits, and then the writer is to end.
func (w *writes) next() *voice {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 {
		w.due = nil
		w.writers--
		return nil
	}
	v := w.due[0]
	w.due[0] = nil
	w.due = w.due[1:]
	return v
}
