package domain

import (
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

const (
	minSimilarity = 0.3  // below it no sentence of a source is what an answer says
	perSentence   = 0.06 // by how much more each further sentence must make a quote similar
	maxSentences  = 3    // of a quote
	maxClaim      = 2000 // bytes of the text before a marker that may be what it refers to
	minClaimWords = 3    // of the text between two markers of a sentence, to be a claim of its own
)

func marker(number int) string { return "[" + strconv.Itoa(number) + "]" }

// claim is the text before a marker, without markers.
type claim struct {
	before []byte
	marks  []int // offsets in before at which markers were
}

// maxBefore is how many bytes of text are kept until all but the last maxClaim are dropped.
const maxBefore = 8 * maxClaim

func (c *claim) add(text string) {
	for text != "" {
		n := min(len(text), maxBefore-len(c.before))
		c.before = append(c.before, text[:n]...)
		text = text[n:]
		if len(c.before) == maxBefore {
			c.drop(maxBefore - maxClaim)
		}
	}
}

func (c *claim) drop(n int) {
	c.before = append(c.before[:0], c.before[n:]...)
	kept := c.marks[:0]
	for _, at := range c.marks {
		if at >= n {
			kept = append(kept, at-n)
		}
	}
	c.marks = kept
}

func (c *claim) mark() {
	if at := len(c.before); len(c.marks) == 0 || c.marks[len(c.marks)-1] != at {
		c.marks = append(c.marks, at)
	}
}

// text returns what a marker at this place refers to: the sentence before it, or the part of the sentence after an earlier
// marker where that has several words.
func (c *claim) text() string {
	all := string(c.before)
	end := len(strings.TrimRightFunc(all, unicode.IsSpace))
	begin := max(0, end-maxClaim)
	for begin < end && !utf8.RuneStart(all[begin]) {
		begin++
	}
	last := begin
	for _, s := range sentencesOf(all[begin:end]) {
		last = begin + s.start
	}
	for i := len(c.marks) - 1; i >= 0 && c.marks[i] > last; i-- {
		if c.marks[i] < end && len(strings.Fields(all[c.marks[i]:end])) >= minClaimWords {
			return all[c.marks[i]:end]
		}
	}
	return all[last:end]
}

// matcher finds the part of a source that an answer refers to.
type matcher struct {
	source Source
	units  []unit // the sentences; nil: not made yet
}

// unit is a sentence of a source.
type unit struct {
	span               // in the text of the source, in code points
	trigrams []trigram // different ones
}

// find returns the sentences of the source that are most similar to a claim; the whole text where none is similar.
func (m *matcher) find(claim string) span {
	if m.units == nil {
		m.divide()
	}
	whole := span{0, utf8.RuneCountInString(m.source.Text)}
	wanted := map[trigram]int{}
	for _, t := range trigramsOf(claim) {
		wanted[t] = len(wanted)
	}
	if len(wanted) == 0 {
		return whole
	}
	covered := make([][]uint64, len(m.units)) // which trigrams of the claim a sentence has
	for i, u := range m.units {
		covered[i] = make([]uint64, (len(wanted)+63)/64)
		for _, t := range u.trigrams {
			if at, ok := wanted[t]; ok {
				covered[i][at/64] |= 1 << (at % 64)
			}
		}
	}
	best, found := minSimilarity, whole
	for i := range m.units {
		all, size := make([]uint64, len(covered[i])), 0
		for n := 0; n < maxSentences && i+n < len(m.units); n++ {
			common := 0
			for w := range all {
				all[w] |= covered[i+n][w]
				common += bits.OnesCount64(all[w])
			}
			size += len(m.units[i+n].trigrams)
			if s := similarity(common, len(wanted), size) - float64(n)*perSentence; s > best {
				best, found = s, span{m.units[i].start, m.units[i+n].end}
			}
		}
	}
	return found
}

// similarity is between 0 and 1: how much of the claim is in the text, and how much both have in common.
func similarity(common, claim, text int) float64 {
	return float64(common)/float64(claim)/2 + float64(common)/float64(claim+text)
}

func (m *matcher) divide() {
	m.units = []unit{}
	at, runes := 0, 0
	for _, s := range sentencesOf(m.source.Text) {
		text := m.source.Text[s.start:s.end]
		runes += utf8.RuneCountInString(m.source.Text[at:s.start])
		length := utf8.RuneCountInString(text)
		m.units = append(m.units, unit{span{runes, runes + length}, trigramsOf(text)})
		at, runes = s.end, runes+length
	}
}

// sentencesOf returns the sentences of a text, without the white space around them, as offsets in bytes. A line ends a sentence
// unless the next one goes on in lower case.
func sentencesOf(text string) []span {
	joined := []byte(text)
	for i, c := range joined {
		if next, _ := utf8.DecodeRuneInString(text[i+1:]); c == '\n' && unicode.IsLower(next) {
			joined[i] = ' '
		}
	}
	var all []span
	next, end := sentences.FromBytes(joined), 0
	for next.Next() {
		v := string(next.Value())
		start := end + len(v) - len(strings.TrimLeftFunc(v, unicode.IsSpace))
		end += len(v)
		if stop := end - len(v) + len(strings.TrimRightFunc(v, unicode.IsSpace)); start < stop {
			all = append(all, span{start, stop})
		}
	}
	return all
}

// trigram is three characters of a word, packed; the edges of a word count as spaces.
type trigram uint64

// trigramsOf returns the different trigrams of the words of a text.
func trigramsOf(text string) []trigram {
	var all []trigram
	seen := map[trigram]bool{}
	add := func(a, b, c rune) {
		if t := trigram(a)<<42 | trigram(b)<<21 | trigram(c); !seen[t] {
			seen[t] = true
			all = append(all, t)
		}
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	for _, word := range words {
		a, b := ' ', ' '
		for _, c := range word {
			add(a, b, c)
			a, b = b, c
		}
		add(a, b, ' ')
	}
	return all
}
