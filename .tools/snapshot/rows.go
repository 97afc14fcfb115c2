package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mayBeEmpty are tables that nothing fills where ClickHouse is not used, no deleted workspace is being purged, and no key was changed.
func mayBeEmpty() []string {
	return []string{"analytics_outbox", "audit_cuts", "retired_keys", "workspace_purges"}
}

// byHand are rows of tables that the API fills only after long use. One that a release does not know is left out.
func byHand(workspace string) []string {
	w := "'" + workspace + "'"
	return []string{
		`INSERT INTO workspace_limits VALUES (` + w + `, 'turns', 100000)`,
		`INSERT INTO usage_warnings VALUES (` + w + `, date_trunc('month', now()), 'turns')`,
		`INSERT INTO job_targets VALUES (` + w + `, 'webhook.deliver', 'x', true, now() + interval '1 day')`,
		`INSERT INTO vectors VALUES (` + w + `, 'notes', gen_random_uuid(), '{1}', gen_random_uuid(), 0, 'text', '{}')`,
		`INSERT INTO job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts) VALUES (` + w + `, gen_random_uuid(), 'unknown.kind', 'x', '{}', 'trace-1', 3)`,
		`INSERT INTO retrievals SELECT workspace_id, id, 1, 'question', 'lexical', false, '[]', 1, now() FROM llm_turns WHERE workspace_id = ` + w,
		`INSERT INTO retrieved_documents SELECT workspace_id, gen_random_uuid(), id FROM llm_turns WHERE workspace_id = ` + w,
		`INSERT INTO document_files SELECT workspace_id, gen_random_uuid(), id FROM documents WHERE workspace_id = ` + w,
		`INSERT INTO document_vectors SELECT workspace_id, id, 1, base_id, 'm', 1, now() FROM documents WHERE workspace_id = ` + w,
		`INSERT INTO embedding_cache VALUES (` + w + `, sha256('x'), '{1}', now())`,
		`INSERT INTO account_identities SELECT id, gen_random_uuid(), 'google', 'https://accounts.google.com', id::text, email, now(), now() FROM users LIMIT 1`,
		`INSERT INTO sign_ins (state_hash, expires_at) VALUES (sha256('x'), now() + interval '1 hour')`,
		`INSERT INTO account_totp SELECT user_id, gen_random_uuid(), 'x', 0, 0, now(), NULL FROM workspace_members WHERE workspace_id = ` + w + ` LIMIT 1`,
		`INSERT INTO account_recovery_codes SELECT user_id, sha256('x'), now() FROM workspace_members WHERE workspace_id = ` + w + ` LIMIT 1`,
		`INSERT INTO account_tickets SELECT user_id, sha256('x'), NULL, '{pwd}', 'x', 0, now(), now() + interval '1 day' FROM workspace_members WHERE workspace_id = ` + w + ` LIMIT 1`,
		`INSERT INTO workspace_exports (workspace_id, id, status, created_by, created_at, finished_at) VALUES (` + w + `, gen_random_uuid(), 'failed', gen_random_uuid(), now(), now())`,
		`INSERT INTO workspace_retention (workspace_id, threads_days) VALUES (` + w + `, 3650)`,
		`INSERT INTO account_failures VALUES (sha256('x'), 1, now() + interval '1 hour')`,
	}
}

// fill inserts rows, waits until the background tasks have filled their tables, and records the result in the manifest.
func (s *server) fill(ctx context.Context, m *manifest) error {
	for _, sql := range byHand(m.Workspace) {
		if _, err := s.sql(ctx, sql); err != nil {
			fmt.Fprintln(os.Stderr, "left out:", err)
		}
	}
	for until := time.Now().Add(fillTimeout); ; time.Sleep(poll) {
		if err := s.count(ctx, m); err != nil {
			return err
		}
		if len(m.Empty) == 0 || time.Now().After(until) {
			break
		}
	}
	m.Answers = map[string]json.RawMessage{}
	for _, path := range paths(*m) {
		status, text, err := request(ctx, "GET", s.url+path, m.Access, nil)
		if err != nil {
			return err
		}
		if status != 200 || !json.Valid(text) {
			return fmt.Errorf("GET %s: %d %s", path, status, text)
		}
		m.Answers[path] = text
	}
	return s.count(ctx, m)
}

// count notes how many rows each table has.
func (s *server) count(ctx context.Context, m *manifest) error {
	counts, err := s.sql(ctx, `SELECT tablename || ' ' || (xpath('//n/text()', query_to_xml('SELECT count(*) AS n FROM public.' || tablename, false, true, '')))[1]
		FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
	if err != nil {
		return err
	}
	m.Rows, m.Empty = map[string]int{}, nil
	for line := range strings.Lines(counts) {
		table, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if n > 0 {
			m.Rows[table] = n
		} else if !slices.Contains(mayBeEmpty(), table) {
			m.Empty = append(m.Empty, table)
		}
	}
	return nil
}

// paths returns the lists and single resources whose responses the test compares, because they do not change with time.
func paths(m manifest) []string {
	list := []string{
		"/v1/auth/me", "/v1/workspaces", "/v1/members", "/v1/api-keys", "/v1/bots", "/v1/files", m.File, "/v1/model-settings", "/v1/model-keys",
		"/v1/conversations/threads", "/v1/webhook-endpoints", "/v1/webhook-subscriptions", "/v1/audit-log?limit=100",
	}
	thread := "/v1/conversations/threads/" + m.Thread
	return append(list, thread, thread+"/messages", thread+"/turns")
}
