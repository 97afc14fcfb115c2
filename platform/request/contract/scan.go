package contract

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley/parley/platform/request/fail"
)

// maxDigits is the maximum number of digits of a number when it is written without an exponent. Postgres writes the
// numbers of jsonb in that form: 1e308 would be returned as 309 digits.
const maxDigits = 100

// maxNumber is how many characters a number may have where it is kept as it was written, and how large its exponent may
// be. It is more than any double needs (RFC 7493, 2.2).
const maxNumber = 400

// scanned is what a scan has found in a body.
type scanned struct {
	depth       int  // of nesting
	nul         bool // a text may have the character U+0000
	wrongNumber bool
}

// scan scans the bytes of a body, which must be valid JSON.
func scan(body []byte, refuse func(number []byte) bool) (found scanned) {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			for i++; body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
					found.nul = found.nul || bytes.HasPrefix(body[i:], []byte("u0000"))
				}
			}
		case c == '{' || c == '[':
			depth++
			found.depth = max(found.depth, depth)
		case c == '}' || c == ']':
			depth--
		case c == '-' || isDigit(c):
			end := i + 1
			for end < len(body) && (isDigit(body[end]) || bytes.IndexByte([]byte("+-.eE"), body[end]) >= 0) {
				end++
			}
			found.wrongNumber = found.wrongNumber || refuse(body[i:end])
			i = end - 1
		}
	}
	return found
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isLong reports whether a number has more than MaxDigits when it is written out.
func isLong(number []byte) bool {
	if len(number) <= maxDigits && !bytes.ContainsAny(number, "eE") {
		return false
	}
	mantissa, exponent := split(number)
	whole, fraction, _ := bytes.Cut(bytes.TrimPrefix(mantissa, []byte("-")), []byte("."))
	return max(1, len(whole)+exponent)+max(0, len(fraction)-exponent) > maxDigits
}

// HasLongNumber reports whether valid JSON contains a number with more than MaxDigits digits.
func HasLongNumber(body []byte) bool { return scan(body, isLong).wrongNumber }

// isHuge reports whether a number is too large for a double or is written with too many characters.
func isHuge(number []byte) bool {
	if len(number) > maxNumber {
		return true
	}
	if _, exponent := split(number); exponent > maxNumber || exponent < -maxNumber {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err != nil
}

// split cuts a number before its exponent. One that is too large to be read is given as 1e9 or -1e9.
func split(number []byte) (mantissa []byte, exponent int) {
	at := bytes.IndexAny(number, "eE")
	if at < 0 {
		return number, 0
	}
	digits := string(number[at+1:])
	if len(digits) <= 9 {
		exponent, _ = strconv.Atoi(digits) // which valid JSON is
		return number[:at], exponent
	}
	exponent = 1e9
	if digits[0] == '-' {
		exponent = -exponent
	}
	return number[:at], exponent
}

// wrongNumbers names the numbers that are refused.
func wrongNumbers(body []byte, refuse func(number []byte) bool) (found []fail.Field) {
	decoder := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.ReadToken()
		if err != nil || len(found) == maxFields { // the end
			return found
		}
		if token.Kind() == '0' && refuse([]byte(token.String())) {
			found = append(found, fail.Field{
				Field: short(dotted(decoder.StackPointer())), Code: "OUT_OF_RANGE",
				Message: "must be a number that a double can hold, of at most " + strconv.Itoa(maxDigits) + " digits when it is written without an exponent",
			})
		}
	}
}
