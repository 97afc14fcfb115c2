package audit

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/parley/parley/platform/request/fail"
)

const (
	exportPage  = 500                    // entries read at once
	exportPause = 200 * time.Millisecond // before another try where too many reads of the workspace are running
)

// lister reads a page of the log.
type lister func(ctx context.Context, f Filter, after *Position, limit int) ([]Row, error)

// Export returns the entries of the log of the caller's workspace that match a filter, newest first, each with a nil
// error; an error ends them. It reads the first page at once: a caller who may not read the log receives an error before
// any entry. It holds no connection between two pages.
func (l *Log) Export(ctx context.Context, f Filter) (iter.Seq2[Row, error], error) {
	return lister(l.List).export(ctx, f)
}

func (list lister) export(ctx context.Context, f Filter) (iter.Seq2[Row, error], error) {
	rows, err := list(ctx, f, nil, exportPage)
	if err != nil {
		return nil, err
	}
	return func(yield func(Row, error) bool) {
		for rows := rows; ; {
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if len(rows) < exportPage {
				return
			}
			var err error
			if rows, err = list.next(ctx, f, rows[len(rows)-1].Position()); err != nil {
				yield(Row{}, err)
				return
			}
		}
	}, nil
}

// next reads the page after a position. Entries were already returned, so it waits until the workspace may read, for as
// long as the context lives.
func (list lister) next(ctx context.Context, f Filter, after Position) ([]Row, error) {
	for {
		rows, err := list(ctx, f, &after, exportPage)
		if !errors.Is(err, fail.ErrTooManyReads) || ctx.Err() != nil {
			return rows, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(exportPause):
		}
	}
}
