package domain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// RowKind is a kind of rows of an archive, with what each field of a row may be.
type RowKind struct {
	Name   string
	Import bool             // false: it is checked and counted, and not imported
	Fields map[string]Check // of rows that are imported; no other may be in one
	// Later is for a kind that archives of before lack.
	Later bool
	// LaterFields are fields that rows of before lack.
	LaterFields map[string]Check
	// Whole checks a row whose fields are good by themselves; nil for nothing.
	Whole func(row map[string]json.RawMessage) error
}

// Check refuses a value of a field.
type Check func(value json.RawMessage) error

// RowKinds returns all kinds of version 1, in the order in which they are imported.
func RowKinds() []RowKind {
	id, at, count := isID, isTime, isNumber(0, 1<<53)
	version := isNumber(1, 1<<31-1)
	person := map[string]Check{"created_by": id, "created_at": at}
	return []RowKind{
		{Name: "workspace", Import: true, Fields: with(nil, map[string]Check{"id": id, "name": isText(1, 200), "created_at": at})},
		{Name: "members"}, {Name: "invitations"}, {Name: "limits"}, {Name: "usage"},
		{Name: "model_settings", Import: true, Fields: map[string]Check{"default_model": orNull(isText(1, 200)), "fallbacks": isTexts(10, 200), "updated_at": at}},
		{Name: "model_keys"}, {Name: "embedding_keys"},
		{Name: "knowledge_bases", Import: true, Fields: with(person, map[string]Check{
			"id": id, "name": isText(1, 200), "description": isText(0, 2000), "language": isOneOf(languages()...), "embedding_model": orNull(isText(1, 200)),
			"chunk_size": isNumber(1, 100_000), "chunk_overlap": isNumber(0, 100_000), "updated_at": at,
		})},
		{Name: "files", Import: true, Fields: with(person, map[string]Check{
			"id": id, "name": isText(1, 255), "content_type": isText(1, 255), "size": isNumber(1, 1<<30), "sha256": isSHA256,
		}), LaterFields: map[string]Check{"owner_id": orNull(id)}},
		{Name: "documents", Import: true, Fields: with(person, map[string]Check{
			"id": id, "knowledge_base_id": id, "file_id": orNull(id), "title": isText(1, 300), "metadata": isObject(16 << 10), "content_type": isText(1, 255),
			"content_hash": isSHA256, "size": count, "status": isText(1, 20), "chunks": count, "characters": count, "pages": orNull(count),
			"error_code": orNull(isText(0, 200)), "error_message": orNull(isText(0, 4000)), "updated_at": at, "indexed_at": orNull(at),
		})},
		{Name: "document_texts", Import: true, Fields: map[string]Check{"document_id": id, "source": isBoolean, "text": isText(0, 1<<25)}},
		{Name: "tools", Import: true, Later: true, Fields: with(person, map[string]Check{
			"id": id, "kind": isOneOf("http", "mcp", "client"), "name": isText(1, 64), "current_version": version, "updated_at": at,
		})},
		{Name: "tool_versions", Import: true, Later: true, Fields: with(person, map[string]Check{
			"tool_id": id, "version": version, "description": isText(1, 4000), "schema": isObject(32 << 10), "effect": isOneOf("read", "write"),
			"timeout_ms": isNumber(1, 600_000), "max_output_bytes": isNumber(1, 1<<20), "url": isText(0, 2000), "method": isOneOf("", "GET", "POST", "PUT", "PATCH", "DELETE"),
			"idempotency_header": isText(0, 64), "note": isText(0, 500),
		}), LaterFields: map[string]Check{"remote_name": isText(0, 200), "definition_hash": isText(0, 64), "redact": isTexts(20, 100)}},
		{Name: "bots", Import: true, Fields: with(person, map[string]Check{
			"id": id, "name": isText(1, 200), "status": isOneOf("draft", "active", "archived"), "current_version": version, "published_version": version, "updated_at": at,
		})},
		{Name: "bot_versions", Import: true, Fields: with(person, map[string]Check{
			"bot_id": id, "version": version, "instruction": isText(0, 50_000), "settings": isObject(64 << 10), "note": isText(0, 500),
		})},
		{Name: "bot_history", Import: true, Fields: map[string]Check{
			"bot_id": id, "number": version, "pointer": isOneOf("current", "published"), "from_version": orNull(version), "to_version": version,
			"cause": isOneOf("create", "edit", "rollback", "publish"), "moved_by": id, "moved_at": at,
		}},
		{Name: "webhook_endpoints"}, {Name: "webhook_subscriptions"},
		{Name: "end_users", Import: true, Later: true, Fields: map[string]Check{
			"id": id, "external_id": orNull(isText(1, 200)), "name": isText(0, 200), "metadata": isObject(16 << 10), "created_at": at, "last_token_at": at,
			"revoked_at": orNull(at), "bots": isIDs,
		}},
		{Name: "threads", Import: true, Fields: with(person, map[string]Check{
			"id": id, "bot_id": orNull(id), "status": isOneOf("active", "archived"), "title": isText(0, 200), "metadata": isObject(16 << 10), "last_seq": count,
			"endpoint_id": orNull(id), "conversation_id": orNull(isText(0, 1000)),
		}), LaterFields: map[string]Check{"owner_id": orNull(id), "end_user_id": orNull(id), "path": orNull(isPath(true)),
			"variables": isVariables}, Whole: checkOwner},
		{Name: "turns", Import: true, Fields: turnFields(), LaterFields: map[string]Check{"path": orNull(isPath(false)), "variables": orNull(isVariables)}},
		{Name: "tool_calls", Import: true, Later: true, Fields: toolCallFields()},
		{Name: "messages", Import: true, Fields: map[string]Check{
			"id": id, "thread_id": id, "turn_id": orNull(id), "seq": isNumber(1, 1<<53), "role": isOneOf("user", "assistant", "system"), "content": isText(0, 1<<21),
			"status": isOneOf("completed", "cancelled"), "citations": orNull(isCitations), "operation_id": orNull(id), "created_at": at, "erased_at": orNull(at),
		}, LaterFields: map[string]Check{"structured": isBoolean, "attachments": orNull(isAttachments)}},
		{Name: "feedback", Import: true, Fields: map[string]Check{
			"thread_id": id, "user_id": id, "seq": isNumber(1, 1<<53), "rating": isOneOf("good", "bad"), "comment": isText(0, 2000), "created_at": at, "updated_at": at,
		}},
		{Name: "audit_log"},
	}
}

// languages are those that texts of knowledge bases may have.
func languages() []string {
	return []string{
		"simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hindi",
		"hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian", "serbian",
		"spanish", "swedish", "tamil", "turkish", "yiddish",
	}
}

func turnFields() map[string]Check {
	id, at, tokens, text := isID, isTime, orNull(isNumber(0, 1<<31-1)), orNull(isText(0, 20_000))
	return map[string]Check{
		"id": id, "thread_id": id, "actor_id": id, "operation_id": id, "bot_id": orNull(id), "bot_version": orNull(isNumber(1, 1<<31-1)), "provider": isText(0, 200),
		"model": isText(0, 300), "status": isOneOf("running", "completed", "failed", "cancelled"), "user_seq": isNumber(1, 1<<53), "attempt": isNumber(1, 1<<20),
		"input_tokens": tokens, "output_tokens": tokens, "cached_tokens": tokens, "usage_estimated": isBoolean, "cost_micros": orNull(isNumber(0, 1<<53)),
		"latency_ms": tokens, "first_token_ms": tokens, "finish_reason": orNull(isText(0, 50)), "error": text, "error_code": text, "error_message": text,
		"created_at": at, "finished_at": orNull(at),
	}
}

func toolCallFields() map[string]Check {
	id, at, number := isID, isTime, isNumber(0, 1<<15-1)
	return map[string]Check{
		"id": id, "turn_id": id, "thread_id": id, "step": isNumber(1, 1<<15-1), "place": number, "said": isText(0, 1<<21), "model_id": isText(0, 1<<16), "name": isText(0, 1<<16),
		"tool_id": orNull(id), "tool_version": orNull(isNumber(1, 1<<31-1)), "kind": isText(1, 20), "effect": isOneOf("read", "write"), "repeatable": isBoolean,
		"arguments": isArguments, "status": isOneOf("waiting", "approved", "denied", "expired", "running", "succeeded", "failed", "unknown", "cancelled"),
		"result": orNull(isText(0, 1<<21)), "attempt": isNumber(0, 1<<20), "decided_by": orNull(id), "decided_at": orNull(at), "reason": orNull(isText(0, 1000)),
		"expires_at": orNull(at), "created_at": at, "started_at": orNull(at), "finished_at": orNull(at),
	}
}

func with(a, b map[string]Check) map[string]Check {
	maps.Copy(b, a)
	return b
}

// Errors of rows.
var (
	errNoObject = errors.New("it is no JSON object")
	errValue    = errors.New("it has a wrong type, or is too long, too large or too small")
	errOwner    = errors.New("its owner_id is not its end_user_id")
)

// CheckRow checks a line of a kind. Every field must be there, and no other.
func (k RowKind) CheckRow(line []byte) (row map[string]json.RawMessage, err error) {
	if !utf8.Valid(line) || json.Unmarshal(line, &row) != nil || row == nil {
		return nil, errNoObject
	}
	if !k.Import {
		return row, nil
	}
	for name, value := range row {
		if check := k.LaterFields[name]; check != nil {
			if err := check(value); err != nil {
				return nil, fmt.Errorf("the field %q: %w", name, err)
			}
		} else if k.Fields[name] == nil {
			return nil, fmt.Errorf("the field %q is unknown", name)
		}
	}
	for name, check := range k.Fields {
		value, ok := row[name]
		if !ok {
			return nil, fmt.Errorf("the field %q is missing", name)
		}
		if err := check(value); err != nil {
			return nil, fmt.Errorf("the field %q: %w", name, err)
		}
	}
	if k.Whole != nil {
		return row, k.Whole(row)
	}
	return row, nil
}

// checkOwner holds a thread of an end user to have that one as its owner.
func checkOwner(row map[string]json.RawMessage) error {
	if user := row["end_user_id"]; len(user) > 0 && !isNull(user) && !bytes.EqualFold(user, row["owner_id"]) {
		return errOwner
	}
	return nil
}

func isNull(value json.RawMessage) bool { return bytes.Equal(value, []byte("null")) }

func orNull(check Check) Check {
	return func(value json.RawMessage) error {
		if isNull(value) {
			return nil
		}
		return check(value)
	}
}

// text decodes a text that Postgres can store.
func text(value json.RawMessage) (string, error) {
	var s string
	if isNull(value) || json.Unmarshal(value, &s) != nil || strings.ContainsRune(s, 0) {
		return "", errValue
	}
	return s, nil
}

func isText(least, most int) Check { //nolint:unparam // both are bounds
	return func(value json.RawMessage) error {
		s, err := text(value)
		if n := utf8.RuneCountInString(s); err != nil || n < least || n > most {
			return errValue
		}
		return nil
	}
}

func isOneOf(texts ...string) Check {
	return func(value json.RawMessage) error {
		if s, err := text(value); err != nil || !slices.Contains(texts, s) {
			return errValue
		}
		return nil
	}
}

func isTexts(most, long int) Check {
	return func(value json.RawMessage) error {
		var list []json.RawMessage
		if isNull(value) || json.Unmarshal(value, &list) != nil || len(list) > most {
			return errValue
		}
		for _, one := range list {
			if err := isText(1, long)(one); err != nil {
				return err
			}
		}
		return nil
	}
}

func isID(value json.RawMessage) error {
	s, err := text(value)
	if err != nil || len(s) != len(uuid.Nil.String()) || uuid.Validate(s) != nil {
		return errValue
	}
	return nil
}

// isIDs accepts a list of ids.
func isIDs(value json.RawMessage) error {
	var list []json.RawMessage
	if isNull(value) || json.Unmarshal(value, &list) != nil {
		return errValue
	}
	for _, one := range list {
		if err := isID(one); err != nil {
			return err
		}
	}
	return nil
}

func isSHA256(value json.RawMessage) error {
	s, err := text(value)
	if raw, wrong := hex.DecodeString(s); err != nil || wrong != nil || len(raw) != 32 {
		return errValue
	}
	return nil
}

// isTime accepts times from 2000 on, and not of the future, where no retention would reach them.
func isTime(value json.RawMessage) error {
	s, err := text(value)
	at, wrong := time.Parse(time.RFC3339Nano, s)
	if err != nil || wrong != nil || at.Year() < 2000 || time.Until(at) > 24*time.Hour {
		return errValue
	}
	return nil
}

func isNumber(least, most int64) Check {
	return func(value json.RawMessage) error {
		var n int64
		if isNull(value) || json.Unmarshal(value, &n) != nil || n < least || n > most {
			return errValue
		}
		return nil
	}
}

func isBoolean(value json.RawMessage) error {
	var b *bool
	if json.Unmarshal(value, &b) != nil || b == nil {
		return errValue
	}
	return nil
}

func isObject(most int) Check {
	return func(value json.RawMessage) error {
		var object map[string]any
		if len(value) > most*2 || json.Unmarshal(value, &object) != nil || object == nil || hasNUL(object) {
			return errValue
		}
		return nil
	}
}

// isVariables accepts texts by their names.
func isVariables(value json.RawMessage) error {
	var values map[string]*string
	if len(value) > 1<<21 || json.Unmarshal(value, &values) != nil || values == nil {
		return errValue
	}
	for name, text := range values {
		if text == nil || strings.ContainsRune(name+*text, 0) {
			return errValue
		}
	}
	return nil
}

// isArguments accepts the arguments of a call: an object, or the text that a model has sent.
func isArguments(value json.RawMessage) error {
	if isText(0, 1<<17)(value) == nil {
		return nil
	}
	return isObject(1 << 17)(value)
}

// hasNUL reports whether a text or a key of a JSON value has U+0000, which Postgres cannot store.
func hasNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, hasNUL)
	case map[string]any:
		for key, one := range v {
			if strings.ContainsRune(key, 0) || hasNUL(one) {
				return true
			}
		}
	}
	return false
}

const (
	maxRowCitations     = 200
	maxRowCitationBytes = 4 << 20
)

// isCitations accepts what messages quote: the types of the fields are those that a list of messages reads.
func isCitations(value json.RawMessage) error {
	var list []struct {
		Number     int        `json:"number"`
		DocumentID *uuid.UUID `json:"document_id"`
		Title      string     `json:"title"`
		ChunkID    uuid.UUID  `json:"chunk_id"`
		Page       *int       `json:"page"`
		Start      int        `json:"start"`
		End        int        `json:"end"`
		Quote      string     `json:"quote"`
	}
	var values []any
	if len(value) > maxRowCitationBytes || json.Unmarshal(value, &list) != nil || json.Unmarshal(value, &values) != nil || len(list) > maxRowCitations || hasNUL(values) {
		return errValue
	}
	for _, c := range list {
		if c.DocumentID == nil {
			return errValue
		}
	}
	return nil
}
