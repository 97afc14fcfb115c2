package postgres

import "github.com/jackc/pgx/v5"

// rows end what they came with when they are closed: their batch, their transaction where it was for this one query, their
// turn in a pipeline.
type rows struct {
	pgx.Rows
	over   func(failure error) error // is given the failure of the query, and gives that of all
	closed bool
	err    error
}

// Close may be called twice. Err returns a failure that occurs only at the end, at the commit.
func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	r.err = r.over(r.Rows.Err())
}

// Next closes the rows after the last one, so that a following Err includes the result of the commit.
func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Err returns the failure of the query or of its commit.
func (r *rows) Err() error {
	if r.closed {
		return r.err
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
