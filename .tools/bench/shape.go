package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// The parameters of the old data.
const (
	others       = 200                 // workspaces beside the measured ones
	shareOf      = 5                   // every fifth turn is of a measured workspace
	turnsAThread = 25                  // 50 messages
	longThread   = 2500                // turns of the one long thread that a measured workspace has
	longEvery    = 4                   // every fourth of its turns, until the long thread is full
	span         = 30 * 24 * time.Hour // between the first turn and the last
	quiet        = time.Hour           // after the last: what is newer the program still looks at
)

// owner is a workspace, and whom and what its turns are of.
type owner struct {
	workspace, user, bot uuid.UUID
	number               int   // among the others; -1: it is measured, and was there before
	long                 int   // turns of its long thread
	slots                []int // its places in a cycle of turns
}

// shape is old data: turns in the order of time, those of all workspaces mixed. Everything in it is a function of a turn's
// number, so that each table can be streamed by itself, in parts, and still fits the others.
type shape struct {
	turns  int
	begin  time.Time
	owners []owner
	cycle  []place // the turns repeat it
}

// place is an owner and which of its own places in a cycle this is.
type place struct{ owner, rank int }

// oldTurn is one turn. Its two messages have the numbers 2*position+1 and 2*position+2.
type oldTurn struct {
	number   int
	of       *owner
	at       time.Time
	thread   int // in its workspace; 0 is the long one
	position int // in its thread
	first    int // the number of the turn that its thread began with
	length   int // turns of its thread, in the end
}

// newShape spreads turns over the measured workspaces and others.
func newShape(turns int, targets []target, now time.Time) (*shape, error) {
	s := &shape{turns: turns, begin: now.Add(-quiet - span).Truncate(time.Millisecond)}
	for _, t := range targets {
		o := owner{number: -1, long: longThread}
		for text, id := range map[string]*uuid.UUID{t.workspace: &o.workspace, t.user: &o.user, t.bot: &o.bot} {
			var err error
			if *id, err = uuid.Parse(text); err != nil {
				return nil, fmt.Errorf("read an id of the program: %w", err)
			}
		}
		s.owners = append(s.owners, o)
	}
	for i := range others {
		s.owners = append(s.owners, owner{
			number: i, workspace: rising(s.begin, "workspace", i), user: rising(s.begin, "user", i), bot: rising(s.begin, "bot", i),
		})
	}
	size := max(others/(shareOf-1), len(targets)) * shareOf // each is in it at least once
	for slot := range size {
		i := slot / shareOf % len(targets)
		if slot%shareOf != 0 {
			i = len(targets) + (slot-slot/shareOf-1)%others
		}
		s.cycle = append(s.cycle, place{i, len(s.owners[i].slots)})
		s.owners[i].slots = append(s.owners[i].slots, slot)
	}
	return s, nil
}

// turn returns the turn with a number.
func (s *shape) turn(number int) oldTurn {
	at := s.cycle[number%len(s.cycle)]
	o := &s.owners[at.owner]
	k := number/len(s.cycle)*len(o.slots) + at.rank
	t := oldTurn{number: number, of: o, at: s.time(number)}
	ofLong := min(k/longEvery, o.long) // those before it
	if k%longEvery == longEvery-1 && ofLong < o.long {
		t.position, t.length = ofLong, s.inLong(o)
		t.first = s.number(o, longEvery-1)
		return t
	}
	r := k - ofLong // among those that are not of the long thread
	began := r - r%turnsAThread
	t.thread, t.position = 1+r/turnsAThread, r%turnsAThread
	t.length = min(turnsAThread, s.count(o)-s.inLong(o)-began)
	t.first = s.number(o, began+min(began/(longEvery-1), o.long))
	return t
}

// number is turn's way back: which turn is the k-th of its workspace.
func (s *shape) number(o *owner, k int) int {
	return k/len(o.slots)*len(s.cycle) + o.slots[k%len(o.slots)]
}

// count is how many turns a workspace has.
func (s *shape) count(o *owner) int {
	n := s.turns / len(s.cycle) * len(o.slots)
	for _, slot := range o.slots {
		if slot < s.turns%len(s.cycle) {
			n++
		}
	}
	return n
}

// inLong is how many turns the long thread of a workspace has.
func (s *shape) inLong(o *owner) int { return min(s.count(o)/longEvery, o.long) }

func (s *shape) time(number int) time.Time {
	return s.begin.Add(time.Duration(float64(span) / float64(s.turns) * float64(number)))
}

// threadID, turnID and operationID are like the ids of the program: rising, except those of operations, which callers
// choose.
func (s *shape) threadID(t oldTurn) uuid.UUID { return rising(s.time(t.first), "thread", t.first) }

func (s *shape) turnID(t oldTurn) uuid.UUID { return rising(t.at, "turn", t.number) }

func (s *shape) operationID(t oldTurn) uuid.UUID {
	sum := digest("operation", t.number)
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4
	return id
}

// rising returns a version 7 UUID for a time, as uuid.NewV7 does. Its random part is derived from a kind and a number.
func rising(at time.Time, kind string, number int) uuid.UUID {
	sum := digest(kind, number)
	id := uuid.UUID(sum[:16])
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000|uint64(at.Nanosecond()%1e6>>8))
	id[8] = id[8]&0x3f | 0x80
	return id
}

func digest(kind string, number int) [sha256.Size]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte(kind), uint64(number)))
}
