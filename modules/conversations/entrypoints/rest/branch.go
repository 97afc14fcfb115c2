package rest

import (
	"encoding/json"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// allBranches is the value of the parameter branch for everything in a thread.
const allBranches = "all"

// branchOf reads the parameter branch. The error is ports.ErrNoBranch.
func branchOf(name *string) (domain.Branch, error) {
	if name == nil {
		return domain.Branch{}, nil
	}
	if *name == allBranches {
		return domain.Branch{All: true}, nil
	}
	id, err := uuid.Parse(*name)
	if err != nil {
		return domain.Branch{}, ports.ErrNoBranch
	}
	return domain.Branch{TurnID: &id}, nil
}

// filterOf returns what the cursors of a list of a branch are bound to.
func filterOf(thread uuid.UUID, b domain.Branch) string {
	switch {
	case b.All:
		return thread.String() + " all"
	case b.TurnID != nil:
		return thread.String() + " " + b.TurnID.String()
	}
	return thread.String()
}

// parentOf reads the field parent_turn_id: nil where it is left out, no turn where it is null. The error is ports.ErrNoParent.
func parentOf(raw json.RawMessage) (*domain.Parent, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // the field is left out
	}
	var parent domain.Parent
	if err := json.Unmarshal(raw, &parent.TurnID); err != nil {
		return nil, ports.ErrNoParent
	}
	return &parent, nil
}
