package app

import (
	"errors"
	"slices"
)

// closers is a stack of what has to be closed, in the reverse order of its opening.
type closers struct{ stack []func() error }

func (c *closers) push(end func() error) { c.stack = append(c.stack, end) }

// do is push for what cannot fail.
func (c *closers) do(end func()) {
	c.push(func() error {
		end()
		return nil
	})
}

// close closes everything, the newest first, and returns all errors. Later calls do nothing.
func (c *closers) close() error {
	var failures []error
	for _, end := range slices.Backward(c.stack) {
		failures = append(failures, end())
	}
	c.stack = nil
	return errors.Join(failures...)
}
