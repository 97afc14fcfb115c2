package domain

import "github.com/google/uuid"

// Path is the messages of its thread that a turn follows: ranges of their numbers, as Postgres writes a multirange. The empty Path is every
// message before the turn, as in a thread without branches.
type Path string

// NoPath is the path of a turn that follows no message.
const NoPath Path = "{}"

// Parent is the turn that a new turn follows.
type Parent struct {
	TurnID *uuid.UUID // nil: none, the turn begins the thread anew
}

// Place is where in its thread a turn is.
type Place struct {
	Follows  *Parent    // that the caller has named; nil: the last turn of the current branch
	ParentID *uuid.UUID // the turn that it follows; nil: none
	Path     Path       // of the messages before it
}

// Branch names a branch of a thread by its last turn. The zero Branch is the current one.
type Branch struct {
	TurnID *uuid.UUID
	All    bool // all branches
}

// MaxPathPieces is of how many ranges the path of a turn may be made. Each change to a message in the middle of a branch, and each switch
// between branches, adds one.
const MaxPathPieces = 500
