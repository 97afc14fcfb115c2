package postgres

import (
	"encoding/json"
	"fmt"

	"github.com/parley/parley/modules/conversations/domain"
)

// requestRow returns the column for what a caller has sent beside the message; nil for nothing.
func requestRow(r *domain.Request) (json.RawMessage, error) {
	if r == nil {
		return nil, nil
	}
	row, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the request of the turn: %w", err)
	}
	return row, nil
}

func toRequest(row json.RawMessage) (*domain.Request, error) {
	if row == nil {
		return nil, nil //nolint:nilnil // nothing was sent
	}
	r := &domain.Request{}
	if err := json.Unmarshal(row, r); err != nil {
		return nil, fmt.Errorf("read the request of the turn: %w", err)
	}
	return r, nil
}
