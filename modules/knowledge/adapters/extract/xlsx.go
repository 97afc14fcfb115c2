package extract

import (
	"errors"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
)

const sheetInMemory = 16 << 20 // bytes: of a larger sheet a temporary file is made while it is read

// readXLSX reads the visible sheets of a workbook row by row. The name of a sheet is a heading. Its first row with several
// cells is the header of those that follow.
func readXLSX(file ports.ExtractionSource, a *archive) error {
	if file.Size > a.out.limits.Bytes { // excelize keeps it in memory
		return tooLarge("bytes", a.out.limits.Bytes)
	}
	var unpacked uint64
	for _, f := range a.files {
		if unpacked += f.UncompressedSize64; unpacked > uint64(a.left) || f.UncompressedSize64 > uint64(a.left) {
			return tooLarge("bytes", a.out.limits.Bytes)
		}
	}
	if err := a.titleOf("docProps/core.xml"); err != nil {
		return err
	}
	book, err := excelize.OpenReader(io.NewSectionReader(file.Content, 0, file.Size), excelize.Options{
		UnzipSizeLimit: a.out.limits.Bytes, UnzipXMLSizeLimit: min(sheetInMemory, a.out.limits.Bytes),
	})
	if err != nil {
		if errors.Is(err, excelize.ErrWorkbookFileFormat) {
			return ports.ErrUnsupportedFile.Because(err)
		}
		return err
	}
	defer book.Close() //nolint:errcheck // it has been read
	for i, sheet := range book.GetSheetList() {
		if i >= a.out.limits.Pages {
			return tooLarge("sheets", int64(a.out.limits.Pages))
		}
		if visible, err := book.GetSheetVisible(sheet); err != nil || !visible {
			continue
		}
		if err := readSheet(book, sheet, a.out); err != nil {
			return err
		}
	}
	return nil
}

func readSheet(book *excelize.File, sheet string, out *output) error {
	rows, err := book.Rows(sheet)
	if err != nil {
		return nil // a sheet that is a chart has no rows
	}
	defer rows.Close() //nolint:errcheck // they have been read
	out.beginTable()
	named, hasHeader := false, false
	for rows.Next() {
		if err := out.ctx.Err(); err != nil {
			return err
		}
		cells, err := rows.Columns()
		if err != nil {
			return err
		}
		filled := 0
		for _, c := range cells {
			if strings.TrimSpace(c) != "" {
				filled++
			}
		}
		if filled == 0 {
			continue
		}
		if !named {
			named = true
			if err := out.add(domain.Heading, 1, sheet); err != nil {
				return err
			}
		}
		if !hasHeader && filled == 1 { // a title above the table
			err = out.add(domain.Paragraph, 0, strings.Join(cells, ""))
		} else {
			err = out.row(cells, !hasHeader)
			hasHeader = true
		}
		if err != nil {
			return err
		}
	}
	return rows.Error()
}
