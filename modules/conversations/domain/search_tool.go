package domain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// SearchToolName is the name of SearchTool, which no tool of a workspace has in a bot that searches by it.
const SearchToolName = "search_knowledge"

// SearchTool returns the tool with which a model searches the knowledge bases of its bot.
func SearchTool() OfferedTool {
	return OfferedTool{
		Name:        SearchToolName,
		Description: "Searches the documents of this business. Search before you answer what they may have the answer to, with the words that such a document would have.",
		Schema: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","minLength":1,"maxLength":2000,"description":"What to search for, complete in itself."}},` +
			`"required":["query"],"additionalProperties":false}`),
	}
}

// SearchRules are the rules for what SearchTool finds, which follow the bot's instruction.
const SearchRules = `The results of ` + "`search_knowledge`" + ` are numbered sources. After each statement that is from a source, cite it by its number in square brackets, like [1] or [1][2]. ` +
	`Cite only numbers of sources that you were given for this answer. Where they do not have the answer, say so, and cite nothing.`

// SearchQuery returns the query that a call of SearchTool asks for. It reports false where the arguments have none.
func SearchQuery(arguments json.RawMessage) (query string, ok bool) {
	var of struct {
		Query string `json:"query"`
	}
	if json.Unmarshal(arguments, &of) != nil {
		return "", false
	}
	query = Storable(firstRunes(strings.TrimSpace(of.Query), maxQuery))
	return query, IsVisible(query)
}

// SearchSummary returns the result of a call of SearchTool as it is kept: without the texts, which are erased with their documents.
func SearchSummary(sources int) string {
	if sources == 0 {
		return "Nothing was found."
	}
	return fmt.Sprintf("Sources that were found: %d.", sources)
}

// SearchResult returns what a model is given of the retrievals for a query: the sources, and the numbers of those that it has been given for
// an earlier query. The boundary is that of SourceText.
func SearchResult(all []Retrieval, query, boundary string) string {
	var sources []Source
	var again []int
	numbers := map[uuid.UUID]int{}
	for _, r := range all {
		for _, c := range r.Candidates {
			switch {
			case c.LeftOut != "":
			case c.Number == 0 && r.Query == query && numbers[c.ChunkID] > 0 && !slices.Contains(again, numbers[c.ChunkID]):
				again = append(again, numbers[c.ChunkID])
			case c.Number > 0:
				numbers[c.ChunkID] = c.Number
				if r.Query == query && c.Text != "" {
					sources = append(sources, c.Source)
				}
			}
		}
	}
	again = slices.DeleteFunc(again, func(n int) bool { return slices.ContainsFunc(sources, func(s Source) bool { return s.Number == n }) })
	if len(sources)+len(again) == 0 {
		return "Nothing was found."
	}
	var text strings.Builder
	if len(sources) > 0 {
		text.WriteString(SourceText(sources, boundary))
	}
	if len(again) > 0 {
		fmt.Fprintf(&text, "\nFound again, of the sources before: %s.", strings.Trim(fmt.Sprint(again), "[]"))
	}
	return strings.TrimSpace(text.String())
}
