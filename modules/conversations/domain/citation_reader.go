package domain

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxCitations = 200 // of one answer; further markers are text only
	maxMarker    = 64  // bytes of a marker
	maxRun       = 64  // backticks or tildes that are read as one delimiter of code
)

// CitationReader finds the citations in the text of an answer while it is generated. Markers are numbers in brackets, as in [1],
// [1, 2], [^1] or 【1†source】. A marker of sources becomes [1] or [1][2] in the text, and numbers that are no source are left
// out of it. Everything else stays as it is: code, links such as [1](url), and brackets without the number of a source.
// However the text is divided into pieces, the result is the same. It is for one answer and for one goroutine at a time.
type CitationReader struct {
	matchers map[int]*matcher
	located  map[int][]span // ranges that the provider has named, for the markers to come
	pending  string         // text whose meaning depends on what follows
	mode     citationMode
	fence    string // of the code: the delimiter with which it has begun
	newLine  bool   // nothing but spaces since the line has begun
	claim    claim
	seen     map[citedPlace]bool
	markers  int
}

type citationMode int

const (
	prose      citationMode = iota
	inlineCode              // between backticks
	codeBlock               // between lines of backticks or tildes
)

// span is a part of a text, in code points.
type span struct{ start, end int }

type citedPlace struct {
	number int
	span
}

// NewCitationReader returns a reader for an answer from these sources.
func NewCitationReader(sources []Source) *CitationReader {
	r := &CitationReader{matchers: map[int]*matcher{}, located: map[int][]span{}, seen: map[citedPlace]bool{}, newLine: true}
	r.Add(sources)
	return r
}

// Add adds sources that the text to come may cite.
func (r *CitationReader) Add(sources []Source) {
	for _, s := range sources {
		r.matchers[s.Number] = &matcher{source: s}
	}
}

// Locate names the part of a source's text, in code points, that the next marker of the source cites. Without it the part is
// the one that is most similar to the text before the marker.
func (r *CitationReader) Locate(number, start, end int) {
	r.located[number] = append(r.located[number], span{start, end})
}

// Write adds a piece of the answer. It returns the text that is certain now, and the citations that are new in it.
func (r *CitationReader) Write(piece string) (text string, found []Citation) {
	r.pending += piece
	return r.read(false)
}

// Close returns the rest of the text and its citations when the answer has ended.
func (r *CitationReader) Close() (text string, found []Citation) { return r.read(true) }

func (r *CitationReader) read(last bool) (string, []Citation) {
	var out strings.Builder
	var found []Citation
	rest := r.pending
	for rest != "" {
		n, numbers := r.next(rest, last)
		if n == 0 {
			break
		}
		if numbers == nil {
			out.WriteString(rest[:n])
			r.pass(rest[:n])
		} else {
			for _, number := range numbers {
				out.WriteString(marker(number))
				found = append(found, r.cite(number)...)
			}
			r.claim.mark()
			r.newLine = false
		}
		rest = rest[n:]
	}
	r.pending = strings.Clone(rest)
	return out.String(), found
}

// next returns how many bytes of the text the next unit has, and the numbers of known sources where it is a marker. It returns
// 0 where that depends on text that has not come yet; last says that none comes.
func (r *CitationReader) next(text string, last bool) (n int, numbers []int) {
	if !last && !utf8.FullRuneInString(text) {
		return 0, nil
	}
	first, size := utf8.DecodeRuneInString(text)
	switch {
	case first == '`' || first == '~':
		return r.delimiter(text, last), nil
	case r.mode != prose:
		return max(size, plain(text, last)), nil
	case first == '\\':
		if len(text) == size {
			return wholeIf(last, size), nil
		}
		if !last && !utf8.FullRuneInString(text[size:]) {
			return 0, nil
		}
		if _, escaped := utf8.DecodeRuneInString(text[size:]); text[size] != '\n' {
			size += escaped
		}
		return size, nil
	case first == '[' || first == '【':
		return r.bracket(text, last)
	}
	return plain(text, last), nil
}

// plain returns the length of the text before what may be the beginning of a marker, of code or of an escape.
func plain(text string, last bool) int {
	if i := strings.IndexAny(text, "`~\\[【"); i >= 0 {
		return i
	}
	n := len(text)
	for back := 1; !last && back < utf8.UTFMax && back < n; back++ {
		if c := text[n-back]; utf8.RuneStart(c) {
			if !utf8.FullRuneInString(text[n-back:]) {
				n -= back
			}
			break
		}
	}
	return n
}

// delimiter reads a run of backticks or tildes, which may begin or end code.
func (r *CitationReader) delimiter(text string, last bool) (n int) {
	for n < len(text) && n < maxRun && text[n] == text[0] {
		n++
	}
	if n == len(text) && n < maxRun && !last {
		return 0
	}
	run := text[:n]
	switch {
	case r.mode == codeBlock:
		if r.newLine && run[0] == r.fence[0] && len(run) >= len(r.fence) {
			r.mode = prose
		}
	case r.mode == inlineCode:
		if run == r.fence {
			r.mode = prose
		}
	case r.newLine && n >= 3:
		r.mode, r.fence = codeBlock, strings.Clone(run)
	case run[0] == '`':
		r.mode, r.fence = inlineCode, strings.Clone(run)
	}
	return n
}

// bracket reads an opening bracket, or a whole marker.
func (r *CitationReader) bracket(text string, last bool) (n int, numbers []int) {
	_, open := utf8.DecodeRuneInString(text)
	length, all, complete := parseMarker(text)
	if !complete {
		if length == 0 {
			return open, nil
		}
		return wholeIf(last, open), nil // it may become a marker
	}
	for _, number := range all {
		if r.matchers[number] != nil && !slices.Contains(numbers, number) {
			numbers = append(numbers, number)
		}
	}
	if text[0] != '[' {
		return length, numbers
	}
	if length == len(text) && !last {
		return 0, nil
	}
	following := text[length:]
	if strings.HasPrefix(following, "(") || r.newLine && strings.HasPrefix(following, ":") { // a link, or what a link refers to
		return length, nil
	}
	return length, numbers
}

// cite returns the citation of a marker; none where it is the same as an earlier one.
func (r *CitationReader) cite(number int) []Citation {
	if r.markers++; r.markers > maxCitations {
		return nil
	}
	m := r.matchers[number]
	var at span
	if named := r.located[number]; len(named) > 0 {
		at, r.located[number] = named[0], named[1:]
	} else {
		at = m.find(r.claim.text())
	}
	place := citedPlace{number, at}
	if r.seen[place] {
		return nil
	}
	r.seen[place] = true
	return []Citation{m.source.Cite(at.start, at.end)}
}

// pass keeps what later markers may refer to, and follows lines and paragraphs.
func (r *CitationReader) pass(text string) {
	for _, c := range text {
		switch {
		case c == '\n':
			if r.newLine && r.mode == inlineCode { // a blank line: the backtick was no code
				r.mode = prose
			}
			r.newLine = true
		case !unicode.IsSpace(c):
			r.newLine = false
		}
	}
	r.claim.add(text)
}

// parseMarker reads a marker at the beginning of a text. Length is 0 where there is none. It is complete where its closing
// bracket is there; otherwise the text ends within what may become a marker.
func parseMarker(text string) (length int, numbers []int, complete bool) {
	closing, i := "]", 1
	if text[0] != '[' {
		closing, i = "】", len("【")
	}
	number, digits := 0, 0
	for i < len(text) && i < maxMarker {
		c := text[i]
		switch {
		case c >= '0' && c <= '9':
			if digits == 3 || digits < 0 {
				return 0, nil, false
			}
			number, digits = number*10+int(c-'0'), digits+1
			i++
			continue
		case strings.HasPrefix(text[i:], closing):
			if digits == 0 {
				return 0, nil, false
			}
			return i + len(closing), append(numbers, number), true
		case closing == "】" && strings.HasPrefix(text[i:], "†") && digits != 0:
			return parseNote(text, i, append(numbers, number))
		case c == ' ':
			if digits > 0 {
				digits = -digits // no digit may follow
			}
		case c == '^' && digits == 0:
		case (c == ',' || c == ';') && digits != 0:
			numbers = append(numbers, number)
			number, digits = 0, 0
		case closing == "】" && !utf8.FullRuneInString(text[i:]):
			return i, nil, false
		default:
			return 0, nil, false
		}
		i++
	}
	if i >= maxMarker {
		return 0, nil, false
	}
	return i, nil, false
}

// parseNote reads the rest of a marker such as 【1†source】.
func parseNote(text string, from int, numbers []int) (length int, all []int, complete bool) {
	rest := text[from:min(len(text), maxMarker)]
	if end := strings.Index(rest, "】"); end >= 0 && !strings.Contains(rest[:end], "\n") {
		return from + end + len("】"), numbers, true
	}
	if strings.Contains(rest, "\n") || len(text) >= maxMarker {
		return 0, nil, false
	}
	return len(text), nil, false
}

func wholeIf(last bool, n int) int {
	if last {
		return n
	}
	return 0
}
