package analytics

import (
	"math"
	"sort"
	"time"
)

// The buckets of latencies are log-linear: 16 buckets of one millisecond each, then 16 buckets of equal width for each
// doubling of the time. The width of a bucket is at most a sixteenth of its lower bound, so its middle differs by at
// most 3.2 % from the values in it.
const (
	bucketsPerDoubling = 16
	doublings          = 20 // up to 2^24 ms, which is over four hours; the last bucket has what took longer
)

// bounds returns the lower bounds of the buckets in milliseconds, in ascending order. All roll-ups use these bounds.
func bounds() []int32 {
	bounds := make([]int32, 0, bucketsPerDoubling*(1+doublings))
	for ms := range int32(bucketsPerDoubling) {
		bounds = append(bounds, ms)
	}
	for d := range doublings {
		for n := range int32(bucketsPerDoubling) {
			bounds = append(bounds, (bucketsPerDoubling+n)<<d)
		}
	}
	return bounds
}

// bucketOf finds the bucket of a latency; one below 0 counts as 0.
func bucketOf(bounds []int32, ms int32) int {
	return max(sort.Search(len(bounds), func(i int) bool { return bounds[i] > ms })-1, 0)
}

// Histogram holds the number of turns in each bucket.
type Histogram map[int]int64

// Quantile returns the latency that the fraction q of the turns, in (0, 1], did not exceed, by nearest rank and within
// 3.2 %. It returns nil if there are no turns.
func (h Histogram) Quantile(q float64) *time.Duration {
	bounds, all := bounds(), int64(0)
	for _, n := range h {
		all += n
	}
	if all <= 0 {
		return nil
	}
	rank := max(int64(math.Ceil(q*float64(all))), 1)
	for i := range bounds {
		if rank -= h[i]; rank <= 0 {
			return middle(bounds, i)
		}
	}
	return middle(bounds, len(bounds)-1)
}

// middle returns the value that represents a bucket, in whole milliseconds.
func middle(bounds []int32, i int) *time.Duration {
	ms := bounds[i]
	if i+1 < len(bounds) {
		ms += (bounds[i+1] - 1 - ms) / 2
	}
	d := time.Duration(ms) * time.Millisecond
	return &d
}
