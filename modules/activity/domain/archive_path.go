package domain

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// maxPieces is how many ranges a path in an archive may have.
const maxPieces = 502

// piece is a range of a path, as Postgres writes it.
var piece = regexp.MustCompile(`^([1-9][0-9]{0,15}),([1-9][0-9]{0,15})?$`)

// isPath checks ranges of numbers of messages, as Postgres writes a multirange. Those of the current branch of a thread go on without an
// end, and those of a turn do not.
func isPath(open bool) Check {
	return func(value json.RawMessage) error {
		s, err := text(value)
		if err != nil {
			return errValue
		}
		inner, found := strings.CutPrefix(s, "{")
		inner, ends := strings.CutSuffix(inner, "}")
		if !found || !ends || inner == "" && open {
			return errValue
		}
		if inner == "" {
			return nil
		}
		inner, found = strings.CutPrefix(inner, "[")
		inner, ends = strings.CutSuffix(inner, ")")
		ranges := strings.Split(inner, "),[")
		if !found || !ends || len(ranges) > maxPieces {
			return errValue
		}
		end := int64(0)
		for i, r := range ranges {
			parts := piece.FindStringSubmatch(r)
			if parts == nil || (parts[2] == "") != (open && i == len(ranges)-1) {
				return errValue
			}
			start, _ := strconv.ParseInt(parts[1], 10, 64) // of 16 digits at the most
			if start <= end {
				return errValue
			}
			if parts[2] == "" {
				return nil
			}
			if end, _ = strconv.ParseInt(parts[2], 10, 64); end <= start {
				return errValue
			}
		}
		return nil
	}
}
