package vector

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"
)

// probe is the collection that Check works on where the program has none of its own, and beside those it has.
func probe() Collection { return Collection{Name: "probe", Dimensions: 4} }

// catalog holds the collections of a store and validates requests for them, so that both adapters refuse the same
// requests.
type catalog struct {
	*collections
}

// collections are those that the program has defined or added.
type collections struct {
	mu  sync.RWMutex
	all []Collection
}

var wellNamed = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func newCatalog(defined []Collection) (catalog, error) {
	c := catalog{&collections{all: append([]Collection{probe()}, defined...)}}
	seen := map[string]bool{}
	for _, one := range c.all {
		if !one.isValid() || seen[one.Name] {
			return c, one.invalid()
		}
		seen[one.Name] = true
	}
	return c, nil
}

func (c Collection) isValid() bool {
	return wellNamed.MatchString(c.Name) && c.Dimensions >= 1 && c.Dimensions <= MaxDimensions && len(c.Labels) <= MaxLabels &&
		!slices.ContainsFunc(c.Labels, func(label string) bool { return !wellNamed.MatchString(label) })
}

func (c Collection) invalid() error {
	return fmt.Errorf("vector: the collection %q should have a name of its own and 1 to %d dimensions", c.Name, MaxDimensions)
}

// defined returns all collections.
func (c catalog) defined() []Collection {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.all)
}

// has reports whether there is the collection, or returns why it cannot be added.
func (c catalog) has(one Collection) (bool, error) {
	if !one.isValid() {
		return false, one.invalid()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, there := range c.all {
		if there.Name == one.Name {
			if there.Dimensions != one.Dimensions {
				return false, fmt.Errorf("%w: the collection %q has %d, and not %d", ErrDimensions, one.Name, there.Dimensions, one.Dimensions)
			}
			return true, nil
		}
	}
	if len(c.all) >= MaxCollections {
		return false, fmt.Errorf("%w: there are %d collections already", ErrFull, MaxCollections)
	}
	return false, nil
}

// add adds a collection that has been made.
func (c catalog) add(one Collection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.all, func(there Collection) bool { return there.Name == one.Name }) {
		c.all = append(c.all, one)
	}
}

func (c catalog) find(name string) (Collection, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, one := range c.all {
		if one.Name == name {
			return one, nil
		}
	}
	return Collection{}, fmt.Errorf("%w: %q", ErrUnknownCollection, name)
}

// points checks what is to be stored.
func (c catalog) points(name string, points []Point) error {
	collection, err := c.find(name)
	if err != nil {
		return err
	}
	if len(points) > MaxBatch {
		return invalid("%d points at once, %d are the most", len(points), MaxBatch)
	}
	seen := make(map[uuid.UUID]bool, len(points))
	for _, p := range points {
		if seen[p.ID] || p.ID == uuid.Nil {
			return invalid("the id %s is empty or there twice", p.ID)
		}
		seen[p.ID] = true
		if err := collection.vector(p.Vector); err != nil {
			return err
		}
		if err := collection.labels(p.Labels); err != nil {
			return err
		}
		if len(p.Content) > MaxContent || !isText(p.Content) || p.Chunk < 0 || p.Chunk > math.MaxInt32 {
			return invalid("the text of %s is longer than %d bytes or no text, or its number is none", p.ID, MaxContent)
		}
	}
	return nil
}

func (c catalog) query(name string, q Query) error {
	collection, err := c.find(name)
	if err != nil {
		return err
	}
	if q.Limit < 1 || q.Limit > MaxMatches {
		return invalid("a limit of %d, it should be 1 to %d", q.Limit, MaxMatches)
	}
	if !(q.MinScore >= -1 && q.MinScore <= 1) {
		return invalid("a score of %v, it should be -1 to 1", q.MinScore)
	}
	if err := collection.vector(q.Vector); err != nil {
		return err
	}
	return collection.filter(q.Filter)
}

func (c catalog) ids(name string, ids []uuid.UUID) error {
	if _, err := c.find(name); err != nil {
		return err
	}
	if len(ids) > MaxBatch {
		return invalid("%d ids at once, %d are the most", len(ids), MaxBatch)
	}
	return nil
}

func (c catalog) filter(name string, f Filter) error {
	collection, err := c.find(name)
	if err != nil {
		return err
	}
	if len(f.DocumentIDs) == 0 && len(f.Labels) == 0 {
		return invalid("an empty filter, which would delete all")
	}
	return collection.filter(f)
}

func (c Collection) filter(f Filter) error {
	if len(f.DocumentIDs) > MaxAnyOf || len(f.Labels) > MaxAnyOf {
		return invalid("%d documents and %d sets of labels, %d are the most", len(f.DocumentIDs), len(f.Labels), MaxAnyOf)
	}
	for _, labels := range f.Labels {
		if len(labels) == 0 {
			return invalid("an empty set of labels")
		}
		if err := c.labels(labels); err != nil {
			return err
		}
	}
	return nil
}

func (c Collection) vector(v []float32) error {
	if len(v) != c.Dimensions {
		return fmt.Errorf("%w: the collection %q has %d, the vector %d", ErrDimensions, c.Name, c.Dimensions, len(v))
	}
	if length := length(v); !(length > 0) || math.IsInf(length, 0) {
		return invalid("a vector without a direction: all zeros, or not all numbers")
	}
	return nil
}

func (c Collection) labels(labels map[string]string) error {
	for name, value := range labels {
		if !slices.Contains(c.Labels, name) {
			return invalid("the collection %q has no label %q", c.Name, name)
		}
		if len(value) > MaxLabel || !isText(value) {
			return invalid("the label %q is longer than %d bytes or no text", name, MaxLabel)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// isText reports whether both databases can store a text: it is valid UTF-8 without NUL.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func length(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// unit returns the vector of length 1 in the same direction.
func unit(v []float32) []float32 {
	n, out := length(v), make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) / n)
	}
	return out
}
