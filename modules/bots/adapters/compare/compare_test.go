package compare_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/adapters/compare"
	"github.com/parley/parley/modules/bots/domain"
)

func version(t *testing.T, number int, instruction, settings string) domain.Version {
	t.Helper()
	content, err := domain.NewContent(instruction, []byte(settings))
	require.NoError(t, err)
	return domain.Version{Number: number, Content: content}
}

func TestTheHashIsOfTheContentAndNotOfHowItIsWritten(t *testing.T) {
	t.Parallel()
	hash := func(instruction, settings string) string {
		h, err := compare.Comparer{}.Hash(version(t, 1, instruction, settings).Content)
		require.NoError(t, err)
		return h
	}
	// printf %s '{"instruction":"Be kind.","settings":{"language":"ru","temperature":0.2}}' | sha256sum
	require.Equal(t, "90052088737c823b118187ed0f0efeedd35cf64b26738b66cc02529d1712ddf0",
		hash("Be kind.", `{"temperature":0.2,"language":"ru"}`), "a client that knows RFC 8785 gets another")
	for _, same := range []string{`{"temperature":0.20,"language":"ru"}`, ` { "language" : "\u0072u", "temperature" : 2e-1 } `} {
		require.Equal(t, hash("x", `{"temperature":0.2,"language":"ru"}`), hash("x", same), same)
	}
	seen := map[string]string{}
	for _, c := range [][2]string{
		{"", "{}"},
		{"x", "{}"},
		{"x ", "{}"},
		{"<x>", "{}"},
		{"", `{"metadata":{}}`},
		{"", `{"metadata":{"a":[1,2]}}`},
		{"", `{"metadata":{"a":[2,1]}}`},
		{"", `{"metadata":{"a":"1"}}`},
		{"", `{"metadata":{"a":1}}`},
		{"", `{"metadata":{"a":null}}`},
	} {
		h := hash(c[0], c[1])
		require.Empty(t, seen[h], "%q has the hash of another", c)
		seen[h] = c[0] + c[1]
	}
}

func TestTheDifferenceLeadsFromOneVersionToTheOther(t *testing.T) {
	t.Parallel()
	a := version(t, 3, "Be kind.\nAnswer in Russian.\n", `{"temperature":0.2,"model":"echo","metadata":{"a/b":[1,2],"n":9007199254740993}}`)
	b := version(t, 7, "Be kind.\nAnswer in German.\n", `{"temperature":0.7,"language":"de","metadata":{"a/b":[1,3],"n":9007199254740992}}`)
	d, err := compare.Comparer{}.Diff(a, b)
	require.NoError(t, err)
	require.Equal(t, "--- version 3\n+++ version 7\n@@ -1,2 +1,2 @@\n Be kind.\n-Answer in Russian.\n+Answer in German.\n", d.Instruction)
	require.JSONEq(t, `[
		{"op":"add","path":"/language","value":"de"},
		{"op":"replace","path":"/metadata/a~1b/1","value":3},
		{"op":"replace","path":"/metadata/n","value":9007199254740992},
		{"op":"remove","path":"/model"},
		{"op":"replace","path":"/temperature","value":0.7}]`, string(d.Settings))

	same, err := compare.Comparer{}.Diff(a, a)
	require.NoError(t, err)
	require.Equal(t, domain.Difference{Settings: []byte("[]")}, same)
}

func TestTheLargestContentsAreComparedSoon(t *testing.T) {
	t.Parallel()
	lines := func(odd, even string) string { return strings.Repeat(odd+"\n"+even+"\n", 12_500) }
	list := func(n string) string { return `{"metadata":{"l":[` + strings.Repeat(n+",", 30_000) + `0]}}` }
	start := time.Now()
	_, err := compare.Comparer{}.Diff(version(t, 1, lines("a", "b"), list("1")), version(t, 2, lines("b", "c"), list("2")))
	require.NoError(t, err)
	require.Less(t, time.Since(start), 5*time.Second)
}
