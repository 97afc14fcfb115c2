//go:build faults

package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// flood has many addresses, each within its own limit, try passwords until it is stopped.
func flood(t *testing.T, p *harness.Program, addresses int) (stop func() map[int]int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for n := range addresses {
		wg.Go(func() {
			for range 20 {
				if ctx.Err() != nil {
					return
				}
				a, err := p.Anonymous().Try(t, http.MethodPost, "/v1/auth/login",
					map[string]any{"email": uuid.NewString() + "@example.com", "password": harness.Password}, harness.From(fmt.Sprintf("10.%d.1.1", n)))
				if err == nil {
					mu.Lock()
					statuses[a.Status]++
					mu.Unlock()
				}
			}
		})
	}
	return func() map[int]int {
		cancel()
		wg.Wait()
		return statuses
	}
}

// A flood from 240 addresses, each within its limit, keeps nobody out who has logged in from their network or device before.
// It tells nothing of accounts: from the same network known and unknown ones are answered alike and take the same time.
func TestFaultAFloodOfStrangersKeepsNobodyOut(t *testing.T) { //nolint:paralleltest // it measures, and fills every processor
	for name, setting := range map[string]string{
		"with the limit of strangers": "AUTH_RATE_LIMIT_STRANGERS=600", "by priority alone": "AUTH_RATE_LIMIT_STRANGERS=1000000",
	} {
		t.Run(name, func(t *testing.T) {
			p := harness.Start(t, harness.BehindProxy, "AUTH_RATE_LIMIT_MAX=20", setting)
			ada, token := p.RegisterAt(t, "192.0.2.1")
			stop := flood(t, p, 240)
			results := map[string]map[int]int{}
			took := map[string][]time.Duration{}
			try := func(who, email, word, address string, headers ...harness.Header) {
				began := time.Now()
				a := p.TryAt(t, email, word, address, headers...)
				took[who] = append(took[who], time.Since(began))
				if results[who] == nil {
					results[who] = map[int]int{}
				}
				results[who][a.Status]++
			}
			for n := range 12 {
				try("known network", ada.Email, harness.Password, "192.0.2.1")
				try("known device", ada.Email, harness.Password, fmt.Sprintf("203.0.%d.1", n), harness.Device(token))
				try("stranger", uuid.NewString()+"@example.com", harness.Password, fmt.Sprintf("100.64.%d.1", n))
				if n < 4 { // as many as wait for nothing
					try("wrong password", ada.Email, "wrong horse battery", fmt.Sprintf("192.0.2.%d", n+2))
					try("unknown account", "nobody@example.com", "wrong horse battery", fmt.Sprintf("192.0.2.%d", n+2))
				}
			}
			attackers := stop()
			for who, times := range took {
				slices.Sort(times)
				t.Logf("%s: %s: answers %v, p50 %v, slowest %v", name, who, results[who], times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
			}
			t.Logf("%s: attackers: %v", name, attackers)
			require.Equal(t, map[int]int{http.StatusOK: 12}, results["known network"])
			require.Equal(t, map[int]int{http.StatusOK: 12}, results["known device"])
			require.Equal(t, results["wrong password"], results["unknown account"])
		})
	}
}
