package extract

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/domain"
)

func TestLinesOfAPageBecomeParagraphs(t *testing.T) {
	t.Parallel()
	full := "Слово" + strings.Repeat(" слово", 11)
	for page, want := range map[string][]paragraph{
		"": nil,
		full + "\r\n" + full + "\r\nкороткая":     {{0, full + " " + full + " короткая"}},
		full + "\r\nконец.\r\nНачало " + full:     {{0, full + " конец."}, {0, "Начало " + full}},
		"Заголовок\r\n" + full + "\r\n" + full:    {{0, "Заголовок"}, {0, full + " " + full}},
		full + " пере\ufffeнос и ещё":             {{0, full + " перенос и ещё"}},
		full + " Санкт-\r\nПетербург " + full:     {{0, full + " Санкт-Петербург " + full}},
		full + "\n1.5 Чем " + full:                {{0, full}, {0, "1.5 Чем " + full}},
		full + " 5-\r\n6 " + full:                 {{0, full + " 5- 6 " + full}},
		"1. раз\n2) два\nтри\n\n• четыре\n\n2026": {{domain.List, "1. раз"}, {domain.List, "2) два три"}, {domain.List, "• четыре"}, {0, "2026"}},
	} {
		require.Equal(t, want, paragraphs(page), "%q", page)
	}
}
