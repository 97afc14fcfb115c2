package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the ids that GitHub gives to the headings of a page.
func anchors(t *testing.T, file string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		ids = append(ids, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return ids
}

// Every link of the README, the guides and the other pages beside them leads to a file and a heading that exist.
func TestTheLinksOfThePagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"../*.md", "*.md", "guides/*.md", "decisions/*.md", "../cmd/*.md", "../db/*.md", "../platform/*.md", "../modules/*.md", "../.github/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(found[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", page, found[1])
			if anchor != "" {
				require.Contains(t, anchors(t, target), anchor, "%s links to %s", page, found[1])
			}
		}
	}
}

// The first page is short; what is longer is a guide, and every guide is in the list of guides.
func TestTheReadmeIsShortAndEveryGuideIsListed(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.LessOrEqual(t, len(readme), 8<<10, "move what is too long for README.md into api/guides")
	index, err := os.ReadFile("guides/README.md")
	require.NoError(t, err)
	guides, err := filepath.Glob("guides/*.md")
	require.NoError(t, err)
	for _, guide := range guides {
		if name := filepath.Base(guide); name != "README.md" {
			require.Contains(t, string(index), "]("+name+")")
			require.Contains(t, string(readme), "(api/guides/"+name+")")
		}
	}
}
