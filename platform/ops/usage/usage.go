// Package usage counts what a workspace uses in a month, enforces its limits, and publishes a warning when a limit is
// close.
//
// The SQL function app.use counts, checks and warns. It is part of the statement that causes the use: the use is counted
// if and only if its effect is committed, a repeated call counts once, and no further round trip is needed. A limit is
// exact for sequential calls. Concurrent calls may each find the last remaining unit, so that a limit can be exceeded by
// the number of calls that run at that moment. The cost of turns is reserved before their models are called
// (app.reserve_cost), which is exact. If no limit is set, nothing is summed up.
package usage

import (
	"encoding/json"
	"time"
)

// Metric is a quantity that is counted.
type Metric string

// The metrics. From Storage on they are levels, which rise and fall and are not reset each month.
const (
	Turns         Metric = "turns"    // begun, whatever became of them
	Tokens        Metric = "tokens"   // of turns, those of question and answer
	Messages      Metric = "messages" // of users and bots
	WebhookEvents Metric = "webhook_events"
	Cost          Metric = "cost_micros" // of turns and embeddings on the operator's keys, in millionths of the currency of the prices
	Storage       Metric = "storage_bytes"
	Bots          Metric = "bots"
	Members       Metric = "members"
	Keys          Metric = "api_keys" // that are not revoked
	Subscriptions Metric = "webhook_subscriptions"
	EndUsers      Metric = "end_users"
	Tools         Metric = "tools"

	KnowledgeBases Metric = "knowledge_bases"
	Documents      Metric = "documents"
	Chunks         Metric = "chunks"          // of documents that are indexed
	KnowledgeBytes Metric = "knowledge_bytes" // of the text of documents
)

// level reports whether a metric is a level, which does not begin anew each month.
func (m Metric) level() bool {
	switch m {
	case Storage, Bots, Members, Keys, Subscriptions, EndUsers, KnowledgeBases, Documents, Chunks, KnowledgeBytes, Tools:
		return true
	case Turns, Tokens, Messages, WebhookEvents, Cost:
	}
	return false
}

// Metrics returns all metrics, in the order in which they are shown.
func Metrics() []Metric {
	return []Metric{
		Turns, Tokens, Messages, WebhookEvents, Cost, Storage, Bots, Members, Keys, Subscriptions, KnowledgeBases, Documents, Chunks, KnowledgeBytes, EndUsers, Tools,
	}
}

// MaxLimit is the highest limit that can be set.
const MaxLimit = 1_000_000_000_000_000_000

// Limits are the limits of every workspace without limits of its own; a missing metric or 0 is no limit.
type Limits map[Metric]int64

// JSON returns the limits above 0 in the form that the SQL functions take.
func (l Limits) JSON() json.RawMessage {
	set := Limits{}
	for metric, limit := range l {
		if limit > 0 {
			set[metric] = limit
		}
	}
	raw, _ := json.Marshal(set) // texts and numbers: it cannot fail
	return raw
}

// Month returns the first day of the month of a time, in UTC. Months begin in UTC.
func Month(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}
