package domain

import (
	"errors"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/sentences"
)

// ErrChunkOptions means that the size or the overlap of chunks is out of its bounds.
var ErrChunkOptions = errors.New("the size of chunks must be 200 to 8000 characters, and their overlap 0 to a quarter of the size")

// Bounds and defaults of chunks, in code points.
const (
	MinChunkSize        = 200
	MaxChunkSize        = 8000
	DefaultChunkSize    = 1600
	DefaultChunkOverlap = 200
)

// ChunkOptions is how a document is split. The zero value stands for the defaults.
type ChunkOptions struct {
	Size    int // code points that a chunk has at most; where the text allows it, it has at least three quarters of them
	Overlap int // about how many code points at its beginning a chunk shares with the one before in the same section
}

// NewChunkOptions returns ErrChunkOptions where a value is out of its bounds.
func NewChunkOptions(size, overlap int) (ChunkOptions, error) {
	if size < MinChunkSize || size > MaxChunkSize || overlap < 0 || overlap > size/4 {
		return ChunkOptions{}, ErrChunkOptions
	}
	return ChunkOptions{Size: size, Overlap: overlap}, nil
}

// Chunk is a part of a document that is found and cited.
type Chunk struct {
	Headings    []string // above its beginning, the highest first
	Page        int      // on which it begins; 0 in documents without pages
	Start, End  int      // offsets in the kept text, in code points
	Text        string   // the kept text from Start to End
	TableHeader string   // the header row of the table in whose middle it begins, which is not part of Text; else empty
}

// Split joins the blocks of a document to its kept text and divides that into chunks. A chunk begins at a heading where
// the section before it is not tiny, else at a paragraph, at a sentence, at a word, or between two characters, whichever
// is possible first. Every character of the kept text is in a chunk, except white space at the edges of chunks.
// The same input always gives the same output. The time is linear in the length of the text.
func Split(e Extracted, o ChunkOptions) (KeptText, []Chunk) {
	if o.Size <= 0 {
		o = ChunkOptions{Size: DefaultChunkSize, Overlap: DefaultChunkOverlap}
	}
	o.Size = min(max(o.Size, MinChunkSize), MaxChunkSize)
	o.Overlap = min(max(o.Overlap, 0), o.Size/4)
	kept, parts := join(e)
	s := splitter{kept: kept, options: o}
	for len(parts) > 0 {
		n := sectionLength(parts, o.Size/8)
		s.parts = parts[:n]
		s.section()
		parts = parts[n:]
	}
	return kept, s.chunks
}

// sectionLength returns of how many parts the first section has. It ends before a heading as soon as it has enough code
// points beside headings, and before a heading that is above its own.
func sectionLength(parts []part, enough int) int {
	body, top := 0, 0
	for i, p := range parts {
		switch {
		case p.block.Kind != Heading:
			body += p.end.rune - p.start.rune
		case i == 0:
			top = p.block.Level
		case body >= enough, body > 0 && p.block.Level < top:
			return i
		}
	}
	return len(parts)
}

// splitter divides one section after the other into chunks.
type splitter struct {
	kept    KeptText
	options ChunkOptions
	parts   []part // of the section
	chunks  []Chunk
}

func (s *splitter) section() {
	end := s.parts[len(s.parts)-1].end
	for at := s.parts[0].start; ; {
		at = s.skipSpace(at)
		if end.rune-at.rune <= s.options.Size {
			s.emit(at, end)
			return
		}
		low := s.forward(at, s.options.Size*3/4)
		next := s.lastBreak(at, low, s.forward(low, s.options.Size-s.options.Size*3/4))
		s.emit(at, next)
		at = s.overlap(at, next)
	}
}

// lastBreak returns the best place between low and high at which a chunk that begins at from ends.
func (s *splitter) lastBreak(from, low, high place) place {
	i, found := s.partAt(high), place{}
	for j := i; j > 0 && s.parts[j].start.rune >= low.rune; j-- {
		if s.parts[j-1].block.Kind != Heading { // a heading stays with what is below it
			return s.parts[j].start
		}
		if s.parts[j].block.Kind == Heading && found.rune == 0 { // unless that is another heading
			found = s.parts[j].start
		}
	}
	if found.rune > 0 {
		return found
	}
	begin := from
	if s.parts[i].start.rune > from.rune {
		begin = s.parts[i].start
	}
	s.sentences(s.parts[i], begin, high, func(p place) bool {
		if p.rune >= low.rune && p.rune < high.rune {
			found = p
		}
		return true
	})
	if found.rune > 0 {
		return found
	}
	s.words(low, high, func(p place) bool { found = p; return true })
	if found.rune > 0 {
		return found
	}
	return s.character(low, high)
}

// overlap returns where the chunk after one from from to next begins: a little before next, or next itself where a
// heading is there.
func (s *splitter) overlap(from, next place) place {
	o := s.options.Overlap
	if p := s.parts[s.partAt(next)]; o == 0 || p.start == next && p.block.Kind == Heading {
		return next
	}
	low := s.forward(from, next.rune-from.rune-o*6/5)
	high := s.forward(low, o*4/5)
	for i := s.partAt(high); i > 0 && s.parts[i].start.rune >= low.rune; i-- {
		if i == 1 || s.parts[i-1].start.rune < low.rune {
			return s.parts[i].start
		}
	}
	begin := from
	p := s.parts[s.partAt(low)]
	if p.start.rune > from.rune {
		begin = p.start
	}
	found := place{}
	first := func(p place) bool {
		if p.rune >= low.rune {
			found = p
		}
		return found.rune == 0
	}
	s.sentences(p, begin, high, first)
	if found.rune == 0 {
		s.words(low, high, first)
	}
	if found.rune == 0 {
		found = s.character(low, high)
	}
	return found
}

// sentences visits the beginnings of sentences of a part, or of lines of code, between two places, in order, while visit
// returns true.
func (s *splitter) sentences(p part, from, to place, visit func(place) bool) {
	to.byte = min(to.byte, p.end.byte)
	text := s.kept.Text[from.byte:max(from.byte, to.byte)]
	if p.block.Kind == Code {
		for line := range strings.Lines(text) {
			from = place{from.byte + len(line), from.rune + utf8.RuneCountInString(line)}
			if from.byte == to.byte || !visit(from) {
				return
			}
		}
		return
	}
	// Lines of a paragraph are wrapped where they are full, and so end no sentence.
	next := sentences.FromString(strings.ReplaceAll(text, "\n", " "))
	for next.Next() {
		v := next.Value()
		from = place{from.byte + len(v), from.rune + utf8.RuneCountInString(v)}
		if from.byte == to.byte || !visit(from) { // the last one may go on
			return
		}
	}
}

// words visits the beginnings of words between two places, in order, while visit returns true.
func (s *splitter) words(from, to place, visit func(place) bool) {
	space := false
	for i, r := range s.kept.Text[from.byte:to.byte] {
		if unicode.IsSpace(r) {
			space = true
		} else if space {
			space = false
			if !visit(place{from.byte + i, from.rune}) {
				return
			}
		}
		from.rune++
	}
}

const longestCharacter = 64 // code points that are seen as one character at most

// character returns the last beginning of a character after low, which may be of several code points, at most high.
func (s *splitter) character(low, high place) place {
	from := low
	if d := high.rune - low.rune - longestCharacter; d > 0 {
		from = s.forward(low, d)
	}
	found, at := high, from
	next := graphemes.FromString(s.kept.Text[from.byte:s.forward(high, longestCharacter).byte])
	for next.Next() {
		v := next.Value()
		at = place{at.byte + len(v), at.rune + utf8.RuneCountInString(v)}
		if at.rune > high.rune {
			break
		}
		found = at
	}
	return found
}

func (s *splitter) emit(from, to place) {
	for to.byte > from.byte {
		r, size := utf8.DecodeLastRuneInString(s.kept.Text[from.byte:to.byte])
		if !unicode.IsSpace(r) {
			break
		}
		to = place{to.byte - size, to.rune - 1}
	}
	i := s.partAt(from)
	c := Chunk{Page: s.kept.PageAt(from.rune), Start: from.rune, End: to.rune, Text: s.kept.Text[from.byte:to.byte]}
	if header := s.parts[i].block.Header; header != "" && s.parts[i].block.Kind == TableRow {
		header = strings.TrimSpace(Clean(header[:advance(header, 0, s.options.Size)]))
		c.TableHeader = strings.TrimSpace(header[:advance(header, 0, s.options.Size/2)])
	}
	for s.parts[i].block.Kind == Heading && i+1 < len(s.parts) && s.parts[i+1].start.rune < to.rune {
		i++ // a heading is above what follows it
	}
	c.Headings = s.parts[i].path
	s.chunks = append(s.chunks, c)
}

// partAt returns the index of the last part of the section that begins at or before a place.
func (s *splitter) partAt(p place) int {
	return max(sort.Search(len(s.parts), func(i int) bool { return s.parts[i].start.rune > p.rune })-1, 0)
}

// forward returns the place n code points after another one.
func (s *splitter) forward(p place, n int) place {
	for ; n > 0 && p.byte < len(s.kept.Text); n-- {
		_, size := utf8.DecodeRuneInString(s.kept.Text[p.byte:])
		p = place{p.byte + size, p.rune + 1}
	}
	return p
}

func (s *splitter) skipSpace(p place) place {
	for p.byte < len(s.kept.Text) {
		r, size := utf8.DecodeRuneInString(s.kept.Text[p.byte:])
		if !unicode.IsSpace(r) {
			break
		}
		p = place{p.byte + size, p.rune + 1}
	}
	return p
}
