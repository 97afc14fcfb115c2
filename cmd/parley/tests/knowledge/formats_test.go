package knowledge

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
)

// content is what a document of each format is made of.
type content struct {
	paragraphs []string
	rows       [][]string // of a table, the header first
}

// sentencesOf are the sentences of a paragraph.
func sentencesOf(paragraph string) []string { return strings.Split(paragraph, "  ") }

// newContent makes paragraphs in which the code points, the bytes and the UTF-16 units before a place differ.
func newContent(r *rand.Rand) (c content) {
	words := strings.Fields("чайник вода гарантия возврат магазин пружина ёлка kettle lever warranty receipt naïve e\u0301clair 🫖 👩\u200d👩\u200d👧 🇷🇺 𝛼 日本 № 5°C")
	for p := range 24 {
		var sentences []string
		for range 2 + r.IntN(3) {
			sentence := fmt.Sprintf("Артикул%d", p)
			for range 5 + r.IntN(8) {
				sentence += " " + words[r.IntN(len(words))]
			}
			sentences = append(sentences, sentence+[]string{".", "!", "?", "…"}[r.IntN(4)])
		}
		c.paragraphs = append(c.paragraphs, strings.Join(sentences, "  "))
	}
	c.rows = [][]string{{"Город", "Цена ₽", "Товар"}}
	for i := range 60 {
		c.rows = append(c.rows, []string{fmt.Sprintf("Город%d", i), fmt.Sprint(100 + i), words[r.IntN(len(words))] + " 🫖"})
	}
	return c
}

// formats make a file of each format of a content. PDF is not among them: its reader is slow to begin.
func formats() map[string]func(t *testing.T, c content) []byte {
	text := func(c content, between string) string {
		return strings.ReplaceAll(strings.Join(c.paragraphs, between+between), "  ", between)
	}
	each := func(list []string, format string) (all string) {
		for _, one := range list {
			all += fmt.Sprintf(format, html.EscapeString(one))
		}
		return all
	}
	page := func(c content) string {
		table := ""
		for _, row := range c.rows {
			table += "<tr>" + each(row, "<td>%s</td>") + "</tr>\r\n"
		}
		return "<html><body><h1>Правила 🫖</h1>\r\n" + each(c.paragraphs, "<p>%s</p>\r\n") + "<table>" + table + "</table></body></html>"
	}
	return map[string]func(t *testing.T, c content) []byte{
		"crlf.txt": func(_ *testing.T, c content) []byte { return []byte(text(c, "\r\n")) },
		"cp1251.txt": func(t *testing.T, c content) []byte { // of words that are in their order, by which the charset is found
			t.Helper()
			var b strings.Builder
			for i := range c.paragraphs {
				fmt.Fprintf(&b, "Артикул%d. Клиент может вернуть этот товар в течение четырнадцати дней со дня покупки.\r\nДеньги придут на счёт через неделю: не раньше № %d.\r\n\r\n", i, i)
			}
			raw, err := charmap.Windows1251.NewEncoder().String(b.String())
			require.NoError(t, err)
			return []byte(raw)
		},
		"a.md": func(_ *testing.T, c content) []byte {
			var b strings.Builder
			b.WriteString("# Правила 🫖\r\n\r\n" + text(c, "\r\n") + "\r\n\r\n")
			for i, row := range c.rows {
				b.WriteString("| " + strings.Join(row, " | ") + " |\r\n")
				if i == 0 {
					b.WriteString("|---|---|---|\r\n")
				}
			}
			return []byte(b.String())
		},
		"a.html": func(_ *testing.T, c content) []byte { return []byte(page(c)) },
		"a.csv": func(_ *testing.T, c content) []byte {
			var b strings.Builder
			for _, row := range append(slices.Clip(c.rows), c.paragraphs) {
				b.WriteString(`"` + strings.Join(row, `";"`) + "\"\r\n")
			}
			return []byte(b.String())
		},
		"a.jsonl": func(t *testing.T, c content) []byte {
			t.Helper()
			var b bytes.Buffer
			for i, p := range c.paragraphs {
				require.NoError(t, json.NewEncoder(&b).Encode(map[string]any{"номер": i, "текст": p}))
			}
			return b.Bytes()
		},
		"a.docx": func(t *testing.T, c content) []byte {
			t.Helper()
			table := ""
			for _, row := range c.rows {
				table += "<w:tr>" + each(row, "<w:tc><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:tc>") + "</w:tr>"
			}
			return archive(t, "_rels/.rels", relation("officeDocument", "word/document.xml"), "word/document.xml",
				`<w:document xmlns:w="w"><w:body>`+each(c.paragraphs, `<w:p><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>`)+"<w:tbl>"+table+"</w:tbl></w:body></w:document>")
		},
		"a.pptx": func(t *testing.T, c content) []byte {
			t.Helper()
			parts := []string{"_rels/.rels", relation("officeDocument", "ppt/presentation.xml")}
			list, targets := "", ""
			for i, p := range c.paragraphs {
				list += fmt.Sprintf(`<p:sldId id="%d" r:id="rId%d"/>`, 256+i, i)
				targets += fmt.Sprintf(`<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/slide" Target="slides/slide%d.xml"/>`, i, i)
				parts = append(parts, fmt.Sprintf("ppt/slides/slide%d.xml", i), `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree><p:sp><p:txBody>`+
					each(sentencesOf(p), "<a:p><a:r><a:t>%s</a:t></a:r></a:p>")+`</p:txBody></p:sp></p:spTree></p:cSld></p:sld>`)
			}
			return archive(t, append(parts, "ppt/presentation.xml", `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>`+list+`</p:sldIdLst></p:presentation>`,
				"ppt/_rels/presentation.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`+targets+`</Relationships>`)...)
		},
		"a.xlsx": func(t *testing.T, c content) []byte {
			t.Helper()
			f := excelize.NewFile()
			for i, row := range c.rows {
				require.NoError(t, f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row))
			}
			_, err := f.NewSheet("Правила 🫖")
			require.NoError(t, err)
			for i, p := range c.paragraphs {
				require.NoError(t, f.SetCellValue("Правила 🫖", fmt.Sprintf("A%d", i+1), p))
			}
			var b bytes.Buffer
			require.NoError(t, f.Write(&b))
			return b.Bytes()
		},
		"a.epub": func(t *testing.T, c content) []byte {
			t.Helper()
			return archive(t, "mimetype", "application/epub+zip",
				"META-INF/container.xml", `<container><rootfiles><rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`,
				"a.opf", `<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>`,
				"a.xhtml", page(c))
		},
	}
}

func relation(kind, target string) string {
	return `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/` +
		kind + `" Target="` + target + `"/></Relationships>`
}

// archive makes a zip archive of pairs of names and contents.
func archive(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		require.NoError(t, err)
		_, err = io.WriteString(w, parts[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// pdf makes a document with a page for each four paragraphs. Only a table of the document makes letters of its glyphs.
func pdf(c content) []byte {
	shown := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 0x20 && r <= 0x7e || r >= 0x410 && r <= 0x44f || r == '…' {
				return r
			}
			return -1
		}, s)
	}
	stream := func(s string) string { return fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(s), s) }
	table := "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange <0000> <FFFF> endcodespacerange\n" +
		"3 beginbfrange <0027> <0085> <0020> <0417> <0456> <0410> <2017> <2029> <2010> endbfrange\nendcmap end end"
	var kids string
	var pages []string
	for i := 0; i < len(c.paragraphs); i += 4 {
		lines := "BT /F 8 Tf 12 TL 20 800 Td\n"
		for _, p := range c.paragraphs[i:min(i+4, len(c.paragraphs))] {
			for _, sentence := range sentencesOf(p) {
				lines += "<"
				for _, r := range shown(sentence) {
					lines += fmt.Sprintf("%04X", r+7)
				}
				lines += "> Tj T*\n"
			}
			lines += "T* T*\n"
		}
		kids += fmt.Sprintf("%d 0 R ", 7+len(pages))
		pages = append(pages, fmt.Sprintf("<</Type /Page /Parent 2 0 R /Contents %d 0 R>>", 8+len(pages)), stream(lines+"ET"))
	}
	objects := append([]string{
		"<</Type /Catalog /Pages 2 0 R>>",
		fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s] /MediaBox [0 0 595 842] /Resources <</Font <</F 3 0 R>>>>>>", len(pages)/2, kids),
		"<</Type /Font /Subtype /Type0 /BaseFont /AAAAAA+X /Encoding /Identity-H /DescendantFonts [4 0 R] /ToUnicode 6 0 R>>",
		"<</Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+X /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor 5 0 R /DW 500>>",
		"<</Type /FontDescriptor /FontName /AAAAAA+X /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80>>",
		stream(table),
	}, pages...)
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	offsets := ""
	for i, o := range objects {
		offsets += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, offsets, len(objects)+1, xref)
	return b.Bytes()
}
