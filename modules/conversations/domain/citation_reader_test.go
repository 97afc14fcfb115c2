package domain_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/domain"
)

// keptEnglish and keptRussian are kept texts of documents; sources are cut out of them.
const (
	keptEnglish = "Введение — ёж 🦔.\n\nReturns\n\nCustomers may return goods within 14 days of delivery. Refunds are issued to the card that paid, " +
		"within five working days. \u2003Shipping costs are not refunded.\n\nGift cards never expire.\n\nThe end."
	keptRussian = "Гарантия. Срок гарантии на все приборы составляет два года со дня покупки. Батареи гарантией не покрываются. " +
		"Для ремонта отправьте прибор в сервисный центр вместе с чеком."
)

func cut(t testing.TB, number int, kept, from, to string) domain.Source {
	t.Helper()
	start, end := strings.Index(kept, from), strings.Index(kept, to)+len(to)
	require.True(t, start >= 0 && end > start)
	return domain.Source{
		Number: number, DocumentID: uuid.New(), ChunkID: uuid.New(), Title: "Terms", Page: number, Text: kept[start:end],
		Start: utf8.RuneCountInString(kept[:start]), End: utf8.RuneCountInString(kept[:end]),
	}
}

func twoSources(t testing.TB) []domain.Source {
	t.Helper()
	return []domain.Source{
		cut(t, 1, keptEnglish, "Customers", "expire."), cut(t, 2, keptRussian, "Гарантия", "чеком."),
	}
}

// readAll gives an answer to a reader in pieces that end at these offsets.
func readAll(sources []domain.Source, answer string, ends ...int) (text string, found []domain.Citation) {
	r := domain.NewCitationReader(sources)
	var all strings.Builder
	at := 0
	for _, end := range append(ends, len(answer)) {
		piece, cited := r.Write(answer[at:end])
		all.WriteString(piece)
		found, at = append(found, cited...), end
	}
	piece, cited := r.Close()
	all.WriteString(piece)
	return all.String(), append(found, cited...)
}

func TestMarkersOfSourcesAreFoundAndAllElseStays(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]struct {
		text    string // empty: that of the answer
		numbers []int
	}{
		"Hello":                 {},
		"A [1].":                {"", []int{1}},
		"A [1, 2] b [ 2 ; 1 ].": {"A [1][2] b [2][1].", []int{1, 2}},
		"A [1][2]":              {"", []int{1, 2}},
		"A 【1】 and 【2†source】.": {"A [1] and [2].", []int{1, 2}},
		"A [^2].":               {"A [2].", []int{2}},
		"A [1, 9].":             {"A [1].", []int{1}},
		"A [9] 【9】 [0] [2024] [1-2] [] [x] [1x]": {},
		"A [1](https://example.com) ![2](x)":     {},
		"[1]: https://example.com":               {},
		"see [1]: it":                            {"", []int{1}},
		"`a[1]` and ``b[1] ` [2]`` then [2]":     {"", []int{2}},
		"```go\na[1] = b[2]\n```\nso [1]":        {"", []int{1}},
		"~~~\na[1]\n```\n[2]\n~~~~\nso [2]":      {"", []int{2}},
		"```\nnever closed [1]":                  {},
		"one ` backtick\n\nand [1]":              {"", []int{1}},
		`escaped \[1] and \\[2]`:                 {"", []int{2}},
		"open [1":                                {},
		"open [":                                 {},
		"open 【1":                                {},
		"open 【1†no end\n】":                      {},
		"a[1]b":                                  {"", []int{1}},
		"A [1] [1, 1]":                           {"A [1] [1]", []int{1}},
		"[ 1 1 ] [1,,2] [,1] [" + strings.Repeat(" ", 80) + "1]": {},
	} {
		text, found := readAll(twoSources(t), answer)
		if want.text == "" {
			want.text = answer
		}
		require.Equal(t, want.text, text, answer)
		var numbers []int
		for _, c := range found {
			numbers = append(numbers, c.Number)
		}
		require.Subset(t, want.numbers, numbers, answer)
		require.Subset(t, numbers, want.numbers, answer)
	}
}

func TestACitationQuotesTheSentenceThatTheAnswerRefersTo(t *testing.T) {
	t.Parallel()
	for answer, quotes := range map[string][]string{
		"You can return goods within 14 days [1].":          {"Customers may return goods within 14 days of delivery."},
		"Sorry. Shipping isn't refunded.[1] Anything else?": {"Shipping costs are not refunded."},
		"- Gift cards do not expire [1]\n- refunds go to the card that paid, in five working days [1]": {
			"Gift cards never expire.", "Refunds are issued to the card that paid, within five working days."},
		"Goods may be returned within 14 days of delivery [1] and the shipping costs are not refunded [1].": {
			"Customers may return goods within 14 days of delivery.", "Shipping costs are not refunded."},
		"Гарантийный срок приборов — два года с покупки [2].":   {"Срок гарантии на все приборы составляет два года со дня покупки."},
		"На батареи гарантия не распространяется 【2】":           {"Батареи гарантией не покрываются."},
		"Прибор нужно отправить в сервисный центр с чеком. [2]": {"Для ремонта отправьте прибор в сервисный центр вместе с чеком."},
		"Xyzzy plugh [1]": {"Customers may return goods within 14 days of delivery. Refunds are issued to the card that paid, " +
			"within five working days. \u2003Shipping costs are not refunded.\n\nGift cards never expire."},
	} {
		_, found := readAll(twoSources(t), answer)
		var got []string
		for _, c := range found {
			got = append(got, c.Quote)
		}
		require.Equal(t, quotes, got, answer)
		requireQuotesAreExact(t, found)
	}
}

func requireQuotesAreExact(t testing.TB, found []domain.Citation) {
	t.Helper()
	for _, c := range found {
		kept := []rune(map[int]string{1: keptEnglish, 2: keptRussian}[c.Number])
		require.Equal(t, string(kept[c.Start:c.End]), c.Quote)
		require.Equal(t, c.Number, *c.Page)
	}
}

func TestAPlaceThatTheProviderNamesIsCited(t *testing.T) {
	t.Parallel()
	source := twoSources(t)[0]
	r := domain.NewCitationReader([]domain.Source{source})
	s := source.Sentences()
	require.Len(t, s, 4)
	var all strings.Builder
	for _, sentence := range s {
		all.WriteString(sentence.Text)
	}
	require.Equal(t, source.Text, all.String(), "nothing of the text is left out")
	r.Locate(1, s[1].Start, s[2].End)
	_, _ = r.Write("Gift cards never expire [1")
	_, found := r.Write("]. ")
	require.Len(t, found, 1)
	require.Equal(t, "Refunds are issued to the card that paid, within five working days. \u2003Shipping costs are not refunded.", found[0].Quote)
	requireQuotesAreExact(t, found)

	r.Locate(1, 5, 1_000_000)
	_, _ = r.Write("[1]")
	_, found = r.Close()
	require.Equal(t, source.Text, found[0].Quote, "a place that is not in the source")
}

// answers are what the text of the fuzz and property tests is made of.
var answers = []string{
	"[", "]", "1", "2", "9", ",", ";", " ", "[1]", "[1, 2]", "[2][1]", "【1】", "【2†x】", "【", "】", "†", "(", ":", "`", "```", "\n", "\n\n", "~~~", "\\", "^",
	"Shipping costs are not refunded", "Батареи не покрываются", ".", "🦔", "\xff", "[1](u)", "![1](u)", "a[1]",
}

func TestHoweverAnAnswerIsDividedItsTextAndCitationsAreTheSame(t *testing.T) {
	t.Parallel()
	sources := twoSources(t)
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 1))
		var b strings.Builder
		for range 1 + random.IntN(40) {
			b.WriteString(answers[random.IntN(len(answers))])
		}
		requireSame(t, sources, b.String(), random)
	}
}

func requireSame(t testing.TB, sources []domain.Source, answer string, random *rand.Rand) {
	t.Helper()
	text, found := readAll(sources, answer)
	requireQuotesAreExact(t, found)
	again, _ := readAll(sources, text)
	require.Equal(t, text, again, "what was read is read again as it is: %q", answer)
	each := make([]int, len(answer))
	var some []int
	for i := range each {
		each[i] = i
		if random.IntN(4) == 0 {
			some = append(some, i)
		}
	}
	for _, ends := range [][]int{each, some} {
		t2, f2 := readAll(sources, answer, ends...)
		require.Equal(t, text, t2, "%q at %v", answer, ends)
		require.Equal(t, asJSON(t, found), asJSON(t, f2), "%q at %v", answer, ends)
	}
}

func asJSON(t testing.TB, found []domain.Citation) string {
	t.Helper()
	raw, err := json.Marshal(found)
	require.NoError(t, err)
	return string(raw)
}

func FuzzCitationReader(f *testing.F) {
	for i, s := range answers {
		f.Add(s+answers[len(answers)-1-i]+s, uint64(i))
	}
	sources := twoSources(f)
	f.Fuzz(func(t *testing.T, answer string, seed uint64) {
		if len(answer) < 20_000 {
			requireSame(t, sources, answer, rand.New(rand.NewPCG(seed, 2)))
		}
	})
}

func TestALongAnswerIsReadInTime(t *testing.T) {
	t.Parallel()
	sources := twoSources(t)
	long := strings.Repeat("Shipping costs are not refunded [1]. ", 30_000)
	text, found := readAll(sources, long)
	require.Equal(t, long, text)
	require.Len(t, found, 1)
	for _, hostile := range []string{strings.Repeat("`", 1<<20), strings.Repeat("[1", 1<<18), strings.Repeat("[", 1<<19), strings.Repeat("a", 1<<20), strings.Repeat("【", 1<<18)} {
		ends := make([]int, 0, len(hostile)/8)
		for i := 8; i < len(hostile); i += 8 {
			ends = append(ends, i)
		}
		text, _ := readAll(sources, hostile, ends...)
		require.Equal(t, hostile, text)
	}
}
