package anthropic

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// searchResults returns the blocks of sources that the model cites by itself. Each sentence is a block of text, as that is the
// smallest part of a search result that can be cited.
func searchResults(sources []domain.Source) []sdk.ContentBlockParamUnion {
	blocks := make([]sdk.ContentBlockParamUnion, 0, len(sources)+1)
	for _, s := range sources {
		result := sdk.SearchResultBlockParam{
			Source: "source-" + strconv.Itoa(s.Number), Title: domain.ShownTitle(s), Citations: sdk.CitationsConfigParam{Enabled: sdk.Bool(true)},
		}
		for _, sentence := range s.Sentences() {
			result.Content = append(result.Content, sdk.TextBlockParam{Text: sentence.Text})
		}
		blocks = append(blocks, sdk.ContentBlockParamUnion{OfSearchResult: &result})
	}
	return blocks
}

// refusesResults reports whether an answer refuses search results, as older models and some servers do. The body of the answer can
// be read again afterwards.
func refusesResults(answer *http.Response) bool {
	if answer == nil || answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusUnprocessableEntity {
		return false
	}
	said, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(said))
	return err == nil && bytes.Contains(said, []byte("search_result"))
}

// location is what a citation refers to: blocks of text of a search result.
type location struct {
	Type   string   `json:"type"`
	Result *float64 `json:"search_result_index"`
	First  float64  `json:"start_block_index"`
	After  float64  `json:"end_block_index"`
}

// citations collects the citations of one block of text. They become markers at its end, since what they refer to is the whole
// block.
type citations struct {
	found   ports.Found
	cited   []location
	endsOff bool // the text so far ends without white space
}

func (c *citations) text(piece string) {
	if piece != "" {
		c.endsOff = strings.TrimRight(piece, " \n\t") == piece
	}
}

func (c *citations) add(l location) {
	if l.Type == "search_result_location" && l.Result != nil && *l.Result >= 0 && *l.Result < float64(len(c.found.Sources)) {
		c.cited = append(c.cited, l)
	}
}

// markers returns the markers of the block that ends, and names what each of them cites. Citations of one source are one marker
// where they follow each other.
func (c *citations) markers() string {
	var b strings.Builder
	for i := 0; i < len(c.cited); {
		l := c.cited[i]
		for i++; i < len(c.cited) && *c.cited[i].Result == *l.Result && c.cited[i].First == l.After; i++ {
			l.After = c.cited[i].After
		}
		source := c.found.Sources[int(*l.Result)]
		if b.Len() == 0 && c.endsOff {
			b.WriteString(" ")
		}
		b.WriteString("[" + strconv.Itoa(source.Number) + "]")
		if c.found.Locate != nil {
			c.found.Locate(source.Number, l.start(source), l.end(source))
		}
	}
	c.cited = nil
	c.text(b.String())
	return b.String()
}

// start returns where the cited text begins in a source, in code points; a negative number where it names no part of it.
func (l location) start(s domain.Source) int {
	if all := s.Sentences(); l.First >= 0 && l.First < float64(len(all)) {
		return all[int(l.First)].Start
	}
	return -1
}

func (l location) end(s domain.Source) int {
	if all := s.Sentences(); l.After >= 1 && l.After <= float64(len(all)) {
		return all[int(l.After)-1].End
	}
	return -1
}
