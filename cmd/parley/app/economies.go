package app

import (
	"context"
	"sync"

	"github.com/parley/parley/modules/auth/adapters/argon2id"
	"github.com/parley/parley/platform/request/contract"
)

// Economies save the programs of one process work that tests, which start hundreds of them, need not pay for each: the
// OpenAPI document is read once, passwords are hashed at the lowest costs, and the memory of the start is not returned to
// the operating system. Only Go code can ask for them: no setting makes a password weaker. They are safe for concurrent use.
type Economies struct {
	contract func() (*contract.Contract, error)
}

// NewEconomies returns Economies for the programs that are to share them.
func NewEconomies() *Economies {
	return &Economies{contract: sync.OnceValues(loadContract)}
}

type economiesKey struct{}

// With returns a context in which Run uses them.
func (e *Economies) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, economiesKey{}, e)
}

// economiesOf returns those of a context; nil if it has none, as in production.
func economiesOf(ctx context.Context) *Economies {
	e, _ := ctx.Value(economiesKey{}).(*Economies)
	return e
}

func (e *Economies) loadContract() (*contract.Contract, error) {
	if e == nil {
		return loadContract()
	}
	return e.contract()
}

func (e *Economies) passwords() (*argon2id.Passwords, error) {
	if e == nil {
		return argon2id.New()
	}
	return argon2id.NewForTests()
}
