// Package usage counts what a workspace uses in a month, holds it to its limits, and warns when a limit comes near.
//
// Counting, check and warning are app.use, a function in SQL that stands in the very statement which causes the use: it is
// counted with its effect or not at all, a call that is sent again counts once, and no further round trip is made. Calls
// one after another are held to a limit exactly; of calls at once each may find the last room that is left, so that a
// limit can be passed by as many as run at that moment. What turns may cost is reserved before their models are asked
// (app.reserve_cost), which is exact. Where no limit is set nothing is summed up.
package usage

import (
	"encoding/json"
	"time"
)

// Metric is something that is counted.
type Metric string

// The metrics. From Storage on they are levels: they go up and down, and do not begin anew each month.
const (
	Turns         Metric = "turns"    // begun, whatever became of them
	Tokens        Metric = "tokens"   // of turns, those of question and answer
	Messages      Metric = "messages" // of users and bots
	WebhookEvents Metric = "webhook_events"
	Cost          Metric = "cost_micros" // of turns on the operator's keys, in millionths of the currency of the prices
	Storage       Metric = "storage_bytes"
	Bots          Metric = "bots"
	Members       Metric = "members"
	Keys          Metric = "api_keys" // that are not revoked
	Subscriptions Metric = "webhook_subscriptions"
)

// level reports whether a metric is a level, which does not begin anew each month.
func (m Metric) level() bool {
	return m == Storage || m == Bots || m == Members || m == Keys || m == Subscriptions
}

// Metrics gives them all, in the order in which they are shown.
func Metrics() []Metric {
	return []Metric{Turns, Tokens, Messages, WebhookEvents, Cost, Storage, Bots, Members, Keys, Subscriptions}
}

// Most is the highest limit that can be set.
const Most = 1_000_000_000_000_000_000

// Limits are those of every workspace that has none of its own; what is missing or 0 is no limit.
type Limits map[Metric]int64

// JSON returns the limits above 0 in the form that the SQL functions take.
func (l Limits) JSON() json.RawMessage {
	set := Limits{}
	for metric, most := range l {
		if most > 0 {
			set[metric] = most
		}
	}
	raw, _ := json.Marshal(set) // texts and numbers: it cannot fail
	return raw
}

// Month gives the first day of a time's month, in UTC, where months begin here.
func Month(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}
