package vector

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// check stores a point in each collection, finds it and deletes it again, in the workspace of the context.
func check(ctx context.Context, s Store, collections []Collection) error {
	for _, c := range collections {
		if err := checkOne(ctx, s, c); err != nil {
			return fmt.Errorf("collection %s: %w", c.Name, err)
		}
	}
	return nil
}

func checkOne(ctx context.Context, s Store, c Collection) error {
	point := Point{ID: uuid.New(), Vector: make([]float32, c.Dimensions), DocumentID: uuid.New(), Content: "check"}
	point.Vector[0] = 1
	find := func() (bool, error) {
		found, err := s.Search(ctx, c.Name, Query{Vector: point.Vector, Limit: 1, Filter: Filter{DocumentIDs: []uuid.UUID{point.DocumentID}}})
		if err != nil {
			return false, fmt.Errorf("search: %w", err)
		}
		return len(found) == 1 && found[0].ID == point.ID && found[0].Content == point.Content, nil
	}
	if err := s.Upsert(ctx, c.Name, []Point{point}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	found, err := find()
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("what was written is not found")
	}
	if err := s.Delete(ctx, c.Name, []uuid.UUID{point.ID}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if found, err = find(); err == nil && found {
		err = fmt.Errorf("what was deleted is still found")
	}
	return err
}
