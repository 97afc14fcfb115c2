// Package fault kills the process at the named point of FAULT_POINT. It is for tests of crashes.
package fault

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// The points.
const (
	AfterClaim     = "after-claim"
	BeforeCommit   = "before-commit"
	AfterCommit    = "after-commit"
	AfterModelCall = "after-model-call"
)

// Point is the point at which the process kills itself, and the number of times that it is reached until then. A nil
// Point never kills the process.
type Point struct {
	name string
	left atomic.Int64
}

// Parse parses "name" or "name:n"; "" returns no point. The error says which form is expected.
func Parse(text string) (*Point, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no point, which is a valid Point
	}
	name, count, counted := strings.Cut(text, ":")
	n := 1
	if counted {
		var err error
		if n, err = strconv.Atoi(count); err != nil || n < 1 {
			return nil, errors.New("the count should be 1 or more")
		}
	}
	if !slices.Contains([]string{AfterClaim, BeforeCommit, AfterCommit, AfterModelCall}, name) {
		return nil, errors.New("no such point")
	}
	p := &Point{name: name}
	p.left.Store(int64(n))
	return p, nil
}

// Set reports whether name is the configured fault point.
func (p *Point) Set(name string) bool { return p != nil && p.name == name }

// Reach kills the process with SIGKILL if name is the configured point and it has been reached the configured number of
// times.
func (p *Point) Reach(name string) {
	if p.Set(name) && p.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it lands
	}
}
