package main

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// book makes a PDF of so many pages of 46 lines. Its font has glyphs by number, which only a table of the document makes letters
// of, as in documents of LaTeX and of word processors.
func book(pages int) []byte {
	const first = 7
	var table strings.Builder
	table.WriteString("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange <0000> <FFFF> endcodespacerange\n")
	for _, block := range [][2]int{{0x20, 0x7e}, {0x410, 0x44f}} {
		fmt.Fprintf(&table, "1 beginbfrange <%04X> <%04X> <%04X> endbfrange\n", block[0]+7, block[1]+7, block[0])
	}
	table.WriteString("endcmap end end")
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", first+2*i)
	}
	objects := []string{
		"<</Type /Catalog /Pages 2 0 R>>",
		fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s] /MediaBox [0 0 595 842] /Resources <</Font <</F 3 0 R>>>>>>", pages, kids),
		"<</Type /Font /Subtype /Type0 /BaseFont /AAAAAA+X /Encoding /Identity-H /DescendantFonts [4 0 R] /ToUnicode 6 0 R>>",
		"<</Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+X /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor 5 0 R /DW 500>>",
		"<</Type /FontDescriptor /FontName /AAAAAA+X /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80>>",
		fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", table.Len(), &table),
	}
	for i := range pages {
		var content strings.Builder
		content.WriteString("BT /F 10 Tf 14 TL 50 800 Td\n")
		for line := range 46 {
			content.WriteByte('<')
			for _, r := range fmt.Sprintf("Страница %d, строка %d: клиент может вернуть товар в течение месяца со дня покупки", i+1, line+1) {
				fmt.Fprintf(&content, "%04X", r+7)
			}
			content.WriteString("> Tj T*\n")
		}
		content.WriteString("ET")
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		_, _ = z.Write([]byte(content.String())) // into memory
		_ = z.Close()
		objects = append(objects, fmt.Sprintf("<</Type /Page /Parent 2 0 R /Contents %d 0 R>>", first+2*i+1),
			fmt.Sprintf("<</Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream", packed.Len(), &packed))
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, at)
	return b.Bytes()
}
