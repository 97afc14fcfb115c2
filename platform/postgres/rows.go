package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5"
)

// rows end their batch when they are closed, and their transaction too where it was for this one query.
type rows struct {
	pgx.Rows
	tx      *tx
	results pgx.BatchResults
	closed  bool
}

// Close is safe to call twice. A failure that only shows at the end of the batch, its commit, is kept in the
// transaction and given by Err.
func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	if err := errors.Join(r.Rows.Err(), r.results.Close()); err != nil {
		_ = r.tx.fail(err)
		return
	}
	if r.tx.once {
		r.tx.end()
	}
}

// Next closes the rows at their end, so that Err, asked next, knows of the commit too.
func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Err gives the failure of the query or of its commit.
func (r *rows) Err() error {
	if r.closed {
		return r.tx.err
	}
	return translate(r.Rows.Err())
}

// row is a query for one row. A row of a transaction that ends with it is believed only after the commit.
type row struct {
	rows pgx.Rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
