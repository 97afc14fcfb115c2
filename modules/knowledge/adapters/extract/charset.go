package extract

import (
	"bytes"
	"regexp"
	"strings"
	letter "unicode"
	"unicode/utf8"

	"github.com/wlynxg/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/parley/parley/modules/knowledge/ports"
)

// decode returns data as UTF-8. The encoding is, whichever is known first: that of a byte order mark, UTF-8 where the data
// is valid, the declared one, UTF-8 with a few errors, the most probable one.
func decode(data []byte, declared string) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return string(bytes.ToValidUTF8(data[3:], []byte("\uFFFD"))), nil
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		return decodeWith(utf32.UTF32(utf32.BigEndian, utf32.UseBOM), data)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return decodeWith(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), data)
	}
	if order := utf16Order(data); order != nil {
		return decodeWith(order, data)
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	if hasControls(data) {
		return "", ports.ErrUnsupportedFile.With("detected", "binary data")
	}
	if e, err := htmlindex.Get(declared); err == nil && e != unicode.UTF8 {
		return decodeWith(e, data)
	}
	if isNearlyUTF8(data) {
		return string(bytes.ToValidUTF8(data, []byte("\uFFFD"))), nil
	}
	return decodeWith(probable(data), data)
}

func decodeWith(e encoding.Encoding, data []byte) (string, error) {
	text, err := e.NewDecoder().Bytes(data)
	return string(text), err
}

// utf16Order returns UTF-16 of the order of bytes in which the data is text without a byte order mark; else nil.
func utf16Order(data []byte) encoding.Encoding {
	data = data[:min(len(data)/2*2, sniffed)]
	even, odd := 0, 0
	for i := 0; i < len(data); i += 2 {
		if data[i] == 0 {
			even++
		}
		if data[i+1] == 0 {
			odd++
		}
	}
	enough := len(data) / 2 / 8 // spaces, digits and lines are of ASCII in most scripts
	switch {
	case len(data) < 8:
	case odd > enough && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case even > enough && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// isNearlyUTF8 reports whether less than one in a hundred characters beyond ASCII is broken.
func isNearlyUTF8(data []byte) bool {
	good, bad := 0, 0
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		data = data[size:]
	}
	return good > bad*100
}

// cyrillic returns the encoding in which data has the most of the frequent letters of Russian, the fewest signs, and no
// capitals after small letters; nil where most letters are Latin.
func cyrillic(data []byte) encoding.Encoding {
	latin := 0
	for _, c := range data {
		if c |= 0x20; c >= 'a' && c <= 'z' {
			latin++
		}
	}
	var found encoding.Encoding
	best := 0
	for _, e := range []encoding.Encoding{charmap.Windows1251, charmap.KOI8R, charmap.CodePage866, charmap.ISO8859_5} {
		text, err := decodeWith(e, data)
		if err != nil {
			continue
		}
		score, letters, last := 0, 0, ' '
		for _, r := range text {
			switch {
			case r < utf8.RuneSelf:
			case strings.ContainsRune("оеаинтсрвлОЕАИНТСРВЛ", r):
				score += 3
			case !letter.Is(letter.Cyrillic, r):
				score -= 3
			}
			if letter.Is(letter.Cyrillic, r) {
				letters++
				if letter.IsUpper(r) && letter.IsLower(last) {
					score -= 6
				}
			}
			last = r
		}
		if letters > latin && score > best {
			found, best = e, score
		}
	}
	return found
}

const guessedBy = 64 << 10 // bytes by which an encoding is guessed

// probable returns the most probable encoding of one or two bytes a character.
func probable(data []byte) encoding.Encoding {
	first := bytes.IndexFunc(data, func(r rune) bool { return r >= utf8.RuneSelf })
	data = data[max(first-1024, 0):]
	data = data[:min(len(data), guessedBy)]
	name := chardet.Detect(data).Encoding
	switch strings.ToLower(name) {
	case "windows-1251", "koi8-r", "ibm866", "ibm855", "iso-8859-5", "maccyrillic": // it mixes them up in short texts
		if e := cyrillic(data); e != nil {
			return e
		}
	}
	if e, err := htmlindex.Get(name); err == nil && e != unicode.UTF8 {
		return e
	}
	if e := cyrillic(data); e != nil {
		return e
	}
	return charmap.Windows1252
}

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]{1,300}charset\s*=\s*["']?\s*([a-z0-9_:.-]{2,40})|^\s*<\?xml[^>]{1,200}encoding\s*=\s*["']([a-z0-9_:.-]{2,40})`)

// declaredCharset returns the encoding that a page names in itself. That of the media type of a file was guessed from its first
// bytes, for which any text of one byte a character is Latin.
func declaredCharset(data []byte) string {
	if m := metaCharset.FindSubmatch(data[:min(len(data), sniffed)]); m != nil {
		return string(m[1]) + string(m[2])
	}
	return ""
}
