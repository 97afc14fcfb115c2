package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/parley/parley/modules/conversations/domain"
)

// oldTable is a table that is filled, and the rows of it that a turn makes. Columns that are not named have their default.
type oldTable struct {
	name    string
	columns []string
	rows    func(*shape, oldTurn) [][]any
}

// oldTables are in the order in which they are begun, the largest first.
func oldTables() []oldTable {
	return []oldTable{
		{"messages", []string{"workspace_id", "id", "thread_id", "turn_id", "seq", "role", "content", "operation_id", "created_at"}, messageRows},
		{"llm_turns", []string{
			"workspace_id", "id", "thread_id", "actor_id", "operation_id", "bot_id", "bot_version", "provider", "model", "status", "user_seq",
			"lease_until", "input_tokens", "output_tokens", "latency_ms", "first_token_ms", "finish_reason", "created_at", "finished_at",
		}, turnRows},
		{"audit_log", []string{
			"workspace_id", "id", "user_id", "operation_id", "trace_id", "action", "resource_type", "resource_id", "changes", "ip", "user_agent", "created_at",
		}, auditRows},
		{"operations", []string{
			"workspace_id", "actor_id", "id", "fingerprint", "created_at", "finished_at", "status", "content_type", "body",
		}, operationRows},
		{"threads", []string{"workspace_id", "id", "bot_id", "status", "last_seq", "created_by", "created_at"}, threadRows},
	}
}

// pgUUID is what pgx encodes with the least work.
func pgUUID(id [16]byte) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// answerAfter is how long the model thinks.
const answerAfter = 900 * time.Millisecond

func messageRows(s *shape, t oldTurn) [][]any {
	workspace, thread, turn, operation := pgUUID(t.of.workspace), pgUUID(s.threadID(t)), pgUUID(s.turnID(t)), pgUUID(s.operationID(t))
	seq := 2*int64(t.position) + 1
	return [][]any{
		{workspace, pgUUID(rising(t.at, "message", t.number)), thread, turn, seq, "user", said(t.number, 30, 150), operation, t.at},
		{
			workspace, pgUUID(domain.AnswerID(turn.Bytes)), thread, turn, seq + 1, "assistant", said(t.number+7, 80, 500), operation,
			t.at.Add(answerAfter),
		},
	}
}

func turnRows(s *shape, t oldTurn) [][]any {
	return [][]any{{
		pgUUID(t.of.workspace), pgUUID(s.turnID(t)), pgUUID(s.threadID(t)), pgUUID(t.of.user), pgUUID(s.operationID(t)), pgUUID(t.of.bot), int32(1),
		"echo", "echo", "completed", 2*int64(t.position) + 1, t.at.Add(time.Minute), int32(40 + t.number%2000), int32(20 + t.number%100),
		int32(answerAfter.Milliseconds()), int32(300), "stop", t.at, t.at.Add(answerAfter),
	}}
}

func auditRows(s *shape, t oldTurn) [][]any {
	thread, trace := s.threadID(t), digest("trace", t.number)
	return [][]any{{
		pgUUID(t.of.workspace), pgUUID(rising(t.at, "audit", t.number)), pgUUID(t.of.user), pgUUID(s.operationID(t)), fmt.Sprintf("%x", trace[:16]),
		"turn.create", "thread", pgUUID(thread), `{"turn_id": "` + s.turnID(t).String() + `"}`, netip.AddrFrom4([4]byte{192, 0, 2, byte(t.number)}),
		"parley-bench/1", t.at,
	}}
}

const (
	operationsEvery = 5                  // turns, of which one still has its operation
	kept            = 8 * 24 * time.Hour // the stored answer; the program's expiry takes it after seven days, so it has a day's to do
)

func operationRows(s *shape, t oldTurn) [][]any {
	if t.number%operationsEvery != 0 {
		return nil
	}
	fingerprint := digest("fingerprint", t.number)
	row := []any{
		pgUUID(t.of.workspace), pgUUID(t.of.user), pgUUID(s.operationID(t)), fingerprint[:], t.at, t.at.Add(answerAfter), int16(200), nil, nil,
	}
	if s.begin.Add(span+quiet).Sub(t.at) < kept {
		row[7], row[8] = "application/json", []byte(`{"turn_id":"`+s.turnID(t).String()+`","content":"`+said(t.number, 240, 260)+`"}`)
	}
	return [][]any{row}
}

func threadRows(s *shape, t oldTurn) [][]any {
	if t.position != 0 {
		return nil
	}
	return [][]any{{
		pgUUID(t.of.workspace), pgUUID(s.threadID(t)), pgUUID(t.of.bot), "active", 2 * int64(t.length), pgUUID(t.of.user), t.at,
	}}
}

const lore = "The ferry leaves at six, and the light on the pier is green when there is a place left on it. Ask the keeper of the lock for " +
	"the times of the week after. What was promised on Monday holds until Friday; what was promised on Friday nobody remembers. "

// said is a text of from to most bytes, of which there are at most 500.
func said(number, from, most int) string {
	text := (lore + lore + lore + lore)[number%len(lore):]
	return text[:from+number*31%(most-from)]
}
