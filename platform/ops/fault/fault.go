// Package fault kills or stops the process at the named point of FAULT_POINT. It is for tests of crashes, and of workers that are late.
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

// modulePoints are the points between the steps in which documents are indexed and removed, turns search them and call tools, and deleted threads are erased.
func modulePoints() []string {
	return []string{
		"document-extracting", "document-extracted", "document-copied", "document-chunking", "document-chunked", "document-embedding", "document-embedded",
		"document-switched", "document-tidying", "document-deleting", "document-removing", "base-marked", "base-queued", "file-erased", "thread-erased", "bot-threads-erased", "export-rows", "export-kept",
		"turn-attached", "turn-searched", "turn-retrieved", "turn-tool-added", "turn-tool-sending", "turn-tool-sent",
	}
}

// Point is the points at which the process kills or stops itself, and the number of times that each is reached until then. A nil
// Point never does.
type Point struct{ points []*point }

type point struct {
	name   string
	signal syscall.Signal
	left   atomic.Int64
}

// Parse parses "name", "name:n" or "name:n:stop", which stops the process until it is sent SIGCONT, or several separated by
// commas; "" returns no point. The error says which form is expected.
func Parse(text string) (*Point, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no point, which is a valid Point
	}
	p := &Point{}
	for one := range strings.SplitSeq(text, ",") {
		name, count, counted := strings.Cut(one, ":")
		n, signal := 1, syscall.SIGKILL
		if number, stops := strings.CutSuffix(count, ":stop"); stops {
			count, signal = number, syscall.SIGSTOP
		}
		if counted {
			var err error
			if n, err = strconv.Atoi(count); err != nil || n < 1 {
				return nil, errors.New("the count should be 1 or more")
			}
		}
		if !slices.Contains(append(modulePoints(), AfterClaim, BeforeCommit, AfterCommit, AfterModelCall), name) {
			return nil, errors.New("no such point")
		}
		next := &point{name: name, signal: signal}
		next.left.Store(int64(n))
		p.points = append(p.points, next)
	}
	return p, nil
}

// Set reports whether name is a configured fault point.
func (p *Point) Set(name string) bool {
	return p != nil && slices.ContainsFunc(p.points, func(one *point) bool { return one.name == name })
}

// Reach kills or stops the process if name is a configured point and it has been reached the configured number of times.
func (p *Point) Reach(name string) {
	if p == nil {
		return
	}
	for _, one := range p.points {
		if one.name != name || one.left.Add(-1) != 0 {
			continue
		}
		_ = syscall.Kill(os.Getpid(), one.signal)
		if one.signal == syscall.SIGKILL {
			select {} // until it lands
		}
	}
}
