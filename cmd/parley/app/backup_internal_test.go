package app

import (
	"context"

	"github.com/parley/parley/platform/data/blob"
)

// visited is a store whose first list of files is followed by something.
type visited struct {
	blob.Store
	visit func()
}

func (v visited) List(ctx context.Context, prefix, after string, most int) ([]blob.Object, error) {
	list, err := v.Store.List(ctx, prefix, after, most)
	v.visit()
	return list, err
}
