package extract

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// readCSV reads a table whose first row is its header.
func readCSV(text string, out *output) error {
	rows := csvReader(text, delimiter(text))
	out.beginTable()
	for isHeader := true; ; {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		if err := out.row(cells, isHeader); err != nil {
			return err
		}
		isHeader = false
	}
}

func csvReader(text string, comma rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = comma, true, -1, true
	return r
}

// delimiter returns what divides the cells of a table: that which gives the most rows with the same number of cells.
func delimiter(text string) rune {
	const bytes, rows = 64 << 10, 50
	best, bestScore := ',', 0
	text = strings.TrimPrefix(text[:min(len(text), bytes)], "\ufeff")
	for _, comma := range []rune{',', ';', '\t', '|'} {
		reader, counts := csvReader(text, comma), map[int]int{}
		for range rows {
			cells, err := reader.Read()
			if err != nil {
				break
			}
			counts[len(cells)]++
		}
		for cells, n := range counts {
			if score := n*1000 + min(cells, 999); cells > 1 && score > bestScore {
				best, bestScore = comma, score
			}
		}
	}
	return best
}
