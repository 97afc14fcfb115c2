package domain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/domain"
)

// requireSound fails where a rule of Split is broken.
func requireSound(t *testing.T, e domain.Extracted, o domain.ChunkOptions) (domain.KeptText, []domain.Chunk) {
	t.Helper()
	kept, chunks := domain.Split(e, o)
	again, same := domain.Split(e, o)
	require.Equal(t, kept, again, "the same input, the same text")
	require.Equal(t, chunks, same, "the same input, the same chunks")
	require.Equal(t, kept.Text, domain.Clean(kept.Text), "the kept text is clean")
	require.True(t, slices.IsSorted(kept.Pages))

	if o.Size == 0 {
		o = domain.ChunkOptions{Size: domain.DefaultChunkSize, Overlap: domain.DefaultChunkOverlap}
	}
	text, covered := []rune(kept.Text), 0
	for i, c := range chunks {
		require.Less(t, c.Start, c.End)
		require.LessOrEqual(t, c.End-c.Start, o.Size, "chunk %d", i)
		require.LessOrEqual(t, utf8.RuneCountInString(c.TableHeader), o.Size/2)
		require.Equal(t, string(text[c.Start:c.End]), c.Text, "chunk %d", i)
		require.Equal(t, c.Text, strings.TrimSpace(c.Text))
		require.Equal(t, kept.PageAt(c.Start), c.Page)
		if c.Start > covered {
			require.Empty(t, strings.TrimSpace(string(text[covered:c.Start])), "lost before chunk %d", i)
		}
		if i > 0 {
			require.Greater(t, c.Start, chunks[i-1].Start)
			require.Greater(t, c.End, chunks[i-1].End)
			require.LessOrEqual(t, chunks[i-1].End-c.Start, o.Overlap*6/5+1, "overlap of chunk %d", i)
		}
		covered = c.End
	}
	require.Empty(t, strings.TrimSpace(string(text[covered:])), "lost at the end")
	for p := range kept.Pages {
		page, start, end, ok := kept.Page(p + 1)
		require.True(t, ok)
		require.Equal(t, string(text[start:end]), page)
	}
	return kept, chunks
}

const (
	russian = "Клиент может вернуть товар в течение 14 дней. Деньги приходят на карту за 3–5 рабочих дней! А если товар сломан? Тогда его заменят. "
	english = "A customer may return goods within 14 days. Mr. Smith pays nothing. The money arrives in 3.5 days on average! What if it is broken? It is replaced. "
	chinese = "客户可以在十四天内退货。退款将在三到五个工作日内到账！如果商品损坏怎么办？我们会更换。"
	emoji   = "👩‍👩‍👧‍👦🏳️‍🌈🇷🇺 e\u0301a\u0308\u0323 "
)

func TestChunksHoldTheWholeTextInEveryScript(t *testing.T) {
	t.Parallel()
	for name, piece := range map[string]string{"russian": russian, "english": english, "chinese": chinese, "emoji": emoji, "letters": "я", "spaces": "a" + strings.Repeat(" ", 3000), "lines": "строка\n", "marks": "\u0301", "brackets": "(", "points": ". "} {
		for _, kind := range []domain.BlockKind{domain.Paragraph, domain.Code, domain.TableRow} {
			t.Run(fmt.Sprint(name, kind), func(t *testing.T) {
				t.Parallel()
				e := domain.Extracted{Blocks: []domain.Block{{Kind: kind, Text: strings.Repeat(piece, 20000/len(piece)+2) + "x", Header: strings.Repeat("столбец", 1000)}}}
				_, chunks := requireSound(t, e, domain.ChunkOptions{})
				require.Greater(t, len(chunks), 3)
				requireSound(t, e, domain.ChunkOptions{Size: 200, Overlap: 50})
				requireSound(t, e, domain.ChunkOptions{Size: 333})
			})
		}
	}
}

func TestChunksEndWhereSentencesEndAndOverlapALittle(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{russian, english, chinese} {
		kept, chunks := requireSound(t, domain.Extracted{Blocks: []domain.Block{{Text: strings.Repeat(piece, 100)}}}, domain.ChunkOptions{})
		require.Greater(t, len(chunks), 2)
		for i, c := range chunks {
			require.True(t, strings.ContainsRune(".!?。！？", []rune(c.Text)[c.End-c.Start-1]), "%q", c.Text)
			if i+1 < len(chunks) {
				require.GreaterOrEqual(t, c.End-c.Start, 1190)
				overlap := c.End - chunks[i+1].Start
				require.True(t, overlap >= 80 && overlap <= 240, "%d code points", overlap)
			}
		}
		require.Equal(t, strings.TrimSpace(strings.Repeat(piece, 100)), kept.Text)
	}
}

func TestACharacterOfSeveralCodePointsIsNotTorn(t *testing.T) {
	t.Parallel()
	family := "👩‍👩‍👧‍👦"
	_, chunks := requireSound(t, domain.Extracted{Blocks: []domain.Block{{Text: strings.Repeat(family, 2000)}}}, domain.ChunkOptions{})
	for _, c := range chunks {
		require.True(t, strings.HasPrefix(c.Text, "👩‍👩") && strings.HasSuffix(c.Text, "👦"))
	}
}

func TestAChunkKnowsItsHeadingsPageAndTable(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(russian, 6)
	blocks := []domain.Block{
		{Kind: domain.Heading, Level: 1, Page: 1, Text: "Правила"},
		{Kind: domain.Heading, Level: 2, Page: 1, Text: "Возврат"},
		{Page: 1, Text: long},
		{Kind: domain.Heading, Level: 2, Page: 2, Text: "Доставка"},
		{Page: 2, Text: long},
		{Kind: domain.Heading, Level: 1, Page: 4, Text: "Цены"},
	}
	header := "Город | Цена"
	blocks = append(blocks, domain.Block{Kind: domain.TableRow, Page: 4, Text: header})
	for i := range 200 {
		blocks = append(blocks, domain.Block{Kind: domain.TableRow, Page: 4, Text: fmt.Sprintf("Город %d | %d ₽", i, i*10), Header: header})
	}
	kept, chunks := requireSound(t, domain.Extracted{Title: "x", Pages: 5, Blocks: blocks}, domain.ChunkOptions{})
	require.Len(t, kept.Pages, 5)
	require.Equal(t, []string{"Правила", "Возврат"}, chunks[0].Headings)
	require.True(t, strings.HasPrefix(chunks[0].Text, "Правила\n\nВозврат\n\nКлиент"))
	require.Equal(t, 1, chunks[0].Page)
	require.Equal(t, []string{"Правила", "Доставка"}, chunks[1].Headings)
	require.Equal(t, 2, chunks[1].Page)
	require.Equal(t, []string{"Цены"}, chunks[2].Headings)
	require.Equal(t, 4, chunks[2].Page)
	require.Empty(t, chunks[2].TableHeader, "its text begins with it")
	require.Contains(t, chunks[2].Text, "Цены\n\n"+header+"\nГород 0 | 0 ₽\n")
	for _, c := range chunks[3:] {
		require.Equal(t, header, c.TableHeader)
		require.True(t, strings.HasPrefix(c.Text, "Город "), "it begins with a row: %q", c.Text)
		require.True(t, strings.HasSuffix(c.Text, "₽"))
	}
	text, start, _, ok := kept.Page(2)
	require.True(t, ok)
	require.True(t, strings.HasPrefix(text, "Доставка"))
	require.Equal(t, 2, kept.PageAt(start))
	require.Equal(t, 1, kept.PageAt(start-1))
	text, _, _, ok = kept.Page(3)
	require.True(t, ok && text == "", "a page without text")
	_, _, _, ok = kept.Page(6)
	require.False(t, ok)
}

func TestTinySectionsStayTogetherUnlessAHigherHeadingFollows(t *testing.T) {
	t.Parallel()
	h := func(level int, text string) domain.Block {
		return domain.Block{Kind: domain.Heading, Level: level, Text: text}
	}
	_, chunks := requireSound(t, domain.Extracted{Blocks: []domain.Block{
		h(2, "A"), {Text: "short"}, h(2, "B"), {Text: "short"}, h(1, "C"), {Text: "short"}, h(2, "D"),
	}}, domain.ChunkOptions{})
	require.Len(t, chunks, 2)
	require.Equal(t, "A\n\nshort\n\nB\n\nshort", chunks[0].Text)
	require.Equal(t, "C\n\nshort\n\nD", chunks[1].Text)
}

func TestAHeadingStaysWithWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	_, chunks := requireSound(t, domain.Extracted{Blocks: []domain.Block{
		{Text: strings.Repeat("слово ", 25)}, {Kind: domain.Heading, Level: 1, Text: strings.Repeat("заголовок ", 110)}, {Text: strings.Repeat(russian, 10)},
	}}, domain.ChunkOptions{})
	require.Contains(t, chunks[0].Text, "заголовок\n\nКлиент")
	var headings []domain.Block
	for i := range 500 {
		headings = append(headings, domain.Block{Kind: domain.Heading, Level: 1, Text: fmt.Sprint("Раздел номер ", i)})
	}
	_, chunks = requireSound(t, domain.Extracted{Blocks: headings}, domain.ChunkOptions{})
	require.Greater(t, len(chunks), 3)
	for _, c := range chunks {
		require.True(t, strings.HasPrefix(c.Text, "Раздел"), "a document of headings is divided between them: %q", c.Text[:50])
	}
}

func TestALineOfTenMegabytesIsSplit(t *testing.T) {
	t.Parallel()
	kept, chunks := domain.Split(domain.Extracted{Blocks: []domain.Block{{Text: strings.Repeat("щ", 5<<20)}}}, domain.ChunkOptions{})
	require.Len(t, kept.Text, 10<<20)
	require.Equal(t, 5<<20, chunks[len(chunks)-1].End)
	require.Less(t, len(chunks), 5<<20/1000)
}

func TestNothingThatPostgresRefusesIsKept(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x00b": "ab", "a\xffb": "a\uFFFDb", "a\r\nb\rc": "a\nb\nc", "\ufeffсло\u00adво\x1b[0m": "слово[0m", "и\u0306": "й", "a\tb": "a\tb", "\x00": "",
	} {
		require.Equal(t, want, domain.Clean(in), "%q", in)
	}
	kept, chunks := domain.Split(domain.Extracted{Blocks: []domain.Block{{Text: "\x00 "}, {Kind: domain.Heading, Level: 1, Text: "\x00a\xff"}, {Kind: domain.TableRow, Text: "\x00b", Header: "c\x00"}}}, domain.ChunkOptions{})
	require.Equal(t, "a\uFFFD\n\nb", kept.Text)
	require.Equal(t, []string{"a\uFFFD"}, chunks[0].Headings)
	kept, chunks = domain.Split(domain.Extracted{Pages: 2}, domain.ChunkOptions{})
	require.Empty(t, chunks)
	require.Equal(t, domain.KeptText{Pages: []int{0, 0}}, kept)
}

func TestChunkOptionsHaveBounds(t *testing.T) {
	t.Parallel()
	o, err := domain.NewChunkOptions(1200, 150)
	require.NoError(t, err)
	require.Equal(t, domain.ChunkOptions{Size: 1200, Overlap: 150}, o)
	for _, wrong := range [][2]int{{199, 0}, {8001, 0}, {1000, 251}, {1000, -1}} {
		_, err := domain.NewChunkOptions(wrong[0], wrong[1])
		require.ErrorIs(t, err, domain.ErrChunkOptions)
	}
}

func TestRandomDocumentsAreSplitSoundly(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		requireSound(t, randomDocument(r), domain.ChunkOptions{Size: 200 + r.IntN(600), Overlap: r.IntN(51)})
	}
}

func randomDocument(r *rand.Rand) domain.Extracted {
	pieces := []string{russian, english, chinese, emoji, "\n", " ", "(", ".", "\x00", "\xff", "слово ", "\u0301", "\t", "a.b.", "\u200d", "1. "}
	var e domain.Extracted
	page := 0
	for range r.IntN(40) {
		page += r.IntN(3) / 2
		b := domain.Block{Kind: domain.BlockKind(r.IntN(5)), Level: r.IntN(4), Page: page}
		for range r.IntN(1 << r.IntN(7)) {
			b.Text += pieces[r.IntN(len(pieces))]
		}
		if b.Kind == domain.TableRow && r.IntN(2) == 0 {
			b.Header = pieces[r.IntN(len(pieces))]
		}
		e.Blocks = append(e.Blocks, b)
	}
	return e
}

func FuzzSplit(f *testing.F) {
	f.Add("# t\n"+russian, english, 200, 50)
	f.Add("a\x00\u0301", strings.Repeat(emoji, 30), 300, 0)
	f.Fuzz(func(t *testing.T, a, b string, size, overlap int) {
		size = domain.MinChunkSize + int(uint(size)%500)
		o := domain.ChunkOptions{Size: size, Overlap: int(uint(overlap) % uint(size/4))}
		requireSound(t, domain.Extracted{Pages: 2, Blocks: []domain.Block{
			{Kind: domain.Heading, Level: len(a) % 3, Text: a}, {Text: b, Page: 1}, {Kind: domain.Code, Text: a + b, Page: 2}, {Kind: domain.TableRow, Text: b, Header: a},
		}}, o)
	})
}

func BenchmarkSplit(b *testing.B) {
	e := domain.Extracted{}
	for i := range 1000 {
		if i%20 == 0 {
			e.Blocks = append(e.Blocks, domain.Block{Kind: domain.Heading, Level: 1, Text: "Раздел"})
		}
		e.Blocks = append(e.Blocks, domain.Block{Text: strings.Repeat(russian, 8)})
	}
	chunks := 0
	for b.Loop() {
		_, c := domain.Split(e, domain.ChunkOptions{})
		chunks += len(c)
	}
	b.ReportMetric(float64(chunks)/b.Elapsed().Seconds(), "chunks/s")
}

func TestCleanKeepsWhatIsClean(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		raw := make([]rune, r.IntN(200))
		for i := range raw {
			raw[i] = rune(r.IntN(0x3000))
		}
		once := domain.Clean(string(raw))
		require.Equal(t, once, domain.Clean(once))
		require.False(t, strings.ContainsFunc(once, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }))
	}
}
