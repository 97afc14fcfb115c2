package postgres

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// uuidCodec moves google/uuid's UUIDs as the 16 bytes that they are. pgx's own would take them for a database/sql Valuer
// and Scanner, and go by their text there and back: 8 % of what a page of messages costs this process. What is neither
// binary nor such a UUID is left to pgx.
type uuidCodec struct{ pgtype.UUIDCodec }

func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case uuid.UUID, *uuid.UUID:
			return encodeUUID{}
		}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if format == pgtype.BinaryFormatCode {
		switch target.(type) {
		case *uuid.UUID:
			return scanUUID{}
		case **uuid.UUID: // which pgx would reach by reflection
			return scanNullableUUID{}
		}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

// DecodeValue returns a uuid.UUID also for a value that is scanned into any.
func (c uuidCodec) DecodeValue(m *pgtype.Map, oid uint32, format int16, source []byte) (any, error) {
	value, err := c.UUIDCodec.DecodeValue(m, oid, format, source)
	if id, ok := value.([16]byte); ok {
		return uuid.UUID(id), err
	}
	return value, err
}

type encodeUUID struct{}

// Encode writes the bytes of a UUID. A nil pointer has been encoded as NULL before Encode is called.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	switch id := value.(type) {
	case uuid.UUID:
		return append(buf, id[:]...), nil
	case *uuid.UUID:
		return append(buf, id[:]...), nil
	default:
		return nil, fmt.Errorf("%T is no UUID", value)
	}
}

type scanUUID struct{}

var errNullUUID = errors.New("NULL is no UUID")

func (scanUUID) Scan(source []byte, target any) error {
	if source == nil {
		return errNullUUID
	}
	if len(source) != len(uuid.Nil) {
		return fmt.Errorf("a UUID has 16 bytes, not %d", len(source))
	}
	id, ok := target.(*uuid.UUID)
	if !ok {
		return fmt.Errorf("%T takes no UUID", target)
	}
	*id = uuid.UUID(source)
	return nil
}

type scanNullableUUID struct{}

func (scanNullableUUID) Scan(source []byte, target any) error {
	id, ok := target.(**uuid.UUID)
	if !ok {
		return fmt.Errorf("%T takes no UUID", target)
	}
	*id = nil
	if source == nil {
		return nil
	}
	*id = new(uuid.UUID)
	return scanUUID{}.Scan(source, *id)
}
