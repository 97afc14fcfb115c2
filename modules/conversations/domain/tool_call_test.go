package domain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

func TestTheArgumentsOfACallAreAnObjectOrTheTextThatWasSent(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for text, test := range map[string]struct {
		want  string
		valid bool
	}{
		"":                              {`{}`, true},
		" \n":                           {`{}`, true},
		`{"b": 1, "a": [2.50]}`:         {`{"b": 1, "a": [2.50]}`, true},
		` {"n": 12345678901234567890} `: {`{"n": 12345678901234567890}`, true},
		`{"a": "\u003cb\u003e"}`:        {`{"a":"<b>"}`, true},
		`{"a\u0000": "b\u0000\ud800"}`:  {"{\"a\":\"b\uFFFD\"}", true},
		`{"u": "\ud83e\udd94"}`:         {`{"u":"🦔"}`, true},
		`{"city": "Par`:                 {`"{\"city\": \"Par"`, false},
		`{} {}`:                         {`"{} {}"`, false},
		`[1]`:                           {`"[1]"`, false},
		`null`:                          {`"null"`, false},
		`"x"`:                           {`"\"x\""`, false},
		`<city>Paris`:                   {`"<city>Paris"`, false},
		`{"n": 1e999999}`:               {`"{\"n\": 1e999999}"`, false},
		"{\"a\": \"b\xff\"}":            {"{\"a\": \"b\uFFFD\"}", true},
		"a\x00b":                        {`"ab"`, false},
		deep:                            {string(must(json.Marshal(deep))), false},
	} {
		arguments := domain.ArgumentsOf(text)
		require.Equal(t, test.want, string(arguments), text)
		require.True(t, json.Valid(arguments), text)
		require.Equal(t, test.valid, domain.ModelCall{Arguments: arguments}.Valid(), text)
	}
	require.False(t, domain.ModelCall{}.Valid())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
