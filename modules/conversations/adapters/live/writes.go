package live

import (
	"sync"
	"time"
)

const (
	maxWriters = 4 // batches that are written at once: streams must leave connections for requests

	// A stream waits between two batches for batchTime, or for streamTime times the number of running streams if that is
	// longer. All streams together write at most 500 batches a second.
	batchTime  = 100 * time.Millisecond
	streamTime = 2 * time.Millisecond
)

// writes stores the chunks of streamed attempts in batches, in the order in which the attempts were queued. Its
// goroutines end when nothing is left. It is safe for concurrent use.
type writes struct {
	mu      sync.Mutex
	due     []*attempt
	writers int
}

// add queues an attempt that has chunks to store.
func (w *writes) add(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = append(w.due, a)
	if w.writers < maxWriters {
		w.writers++
		go w.run()
	}
}

func (w *writes) run() {
	for a := w.next(); a != nil; a = w.next() {
		a.store()
	}
}

// next takes the attempt that has waited longest; nil where none waits, which ends the goroutine.
func (w *writes) next() *attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 {
		w.due = nil
		w.writers--
		return nil
	}
	a := w.due[0]
	w.due[0] = nil
	w.due = w.due[1:]
	return a
}
