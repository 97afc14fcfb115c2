package extract_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/parley/parley/modules/knowledge/adapters/extract"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// zipOf makes an archive of pairs of names and contents.
func zipOf(t testing.TB, parts ...string) string {
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
	return b.String()
}

const (
	xmlHead   = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
	relations = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`
	office    = `"http://schemas.openxmlformats.org/officeDocument/2006/relationships/`
	core      = xmlHead + `<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:creator>Кто</dc:creator><dc:title>Правила</dc:title></cp:coreProperties>`
	wordStyle = xmlHead + `<w:styles xmlns:w="w"><w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="2"><w:name w:val="heading 2"/><w:basedOn w:val="1"/></w:style><w:style w:styleId="a"><w:name w:val="Мой"/><w:basedOn w:val="2"/></w:style>
<w:style w:styleId="x"><w:name w:val="x"/><w:basedOn w:val="y"/></w:style><w:style w:styleId="y"><w:name w:val="y"/><w:basedOn w:val="x"/></w:style></w:styles>`
)

func docx(t testing.TB, body string, more ...string) string {
	t.Helper()
	return zipOf(t, append([]string{
		"[Content_Types].xml", xmlHead + `<Types/>`, "_rels/.rels", xmlHead + relations + `<Relationship Id="r1" Type=` + office + `officeDocument" Target="word/document.xml"/></Relationships>`,
		"docProps/core.xml", core, "word/styles.xml", wordStyle, "word/document.xml", xmlHead + `<w:document xmlns:w="w"><w:body>` + body + `</w:body></w:document>`,
	}, more...)...)
}

const wordBody = `<w:p><w:pPr><w:pStyle w:val="1"/></w:pPr><w:r><w:t>Возврат</w:t></w:r></w:p>
<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t xml:space="preserve">Клиент может </w:t></w:r><w:r><w:t>вернуть</w:t><w:tab/><w:t>товар.</w:t><w:br/><w:t>Всегда</w:t></w:r><w:r><w:instrText>PAGE</w:instrText></w:r><w:del><w:r><w:delText>удалено</w:delText></w:r></w:del><w:r><w:rPr><w:vanish/></w:rPr><w:t>скрыто</w:t></w:r></w:p>
<w:p><w:pPr><w:pStyle w:val="a"/></w:pPr><w:r><w:t>Сроки</w:t></w:r></w:p>
<w:p><w:pPr><w:pStyle w:val="x"/><w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr></w:pPr><w:r><w:t>14 дней</w:t></w:r></w:p>
<w:tbl><w:tblPr><w:tblLook w:val="04A0"/></w:tblPr><w:tr><w:tc><w:p><w:r><w:t>Город</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Цена</w:t></w:r></w:p></w:tc></w:tr>
<w:tr><w:tc><w:p><w:r><w:t>Москва</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>100</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>₽</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p/></w:tc></w:tr></w:tbl>
<w:p><w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:txbxContent><w:p><w:r><w:t>рамка</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:p><w:r><w:t>рамка</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>вокруг</w:t></w:r></w:p>`

func TestDOCXIsReadWithItsHeadingsListsAndTables(t *testing.T) {
	t.Parallel()
	e := read(t, "x", docx(t, wordBody, "word/footnotes.xml", xmlHead+`<w:footnotes xmlns:w="w"><w:footnote><w:p><w:r><w:t>сноска</w:t></w:r></w:p></w:footnote></w:footnotes>`))
	require.Equal(t, "Правила", e.Title)
	require.Equal(t, []domain.Block{
		{Kind: domain.Heading, Level: 1, Text: "Возврат"},
		{Text: "Клиент может вернуть\tтовар.\nВсегда"},
		{Kind: domain.Heading, Level: 2, Text: "Сроки"},
		{Kind: domain.List, Level: 2, Text: "- 14 дней"},
		{Kind: domain.TableRow, Text: "Город | Цена"},
		{Kind: domain.TableRow, Text: "Москва | 100 ₽", Header: "Город | Цена"},
		{Text: "рамка"}, {Text: "вокруг"}, {Text: "сноска"},
	}, e.Blocks)
}

func pptx(t testing.TB, slides ...string) string {
	t.Helper()
	parts := []string{"_rels/.rels", relations + `<Relationship Id="r1" Type=` + office + `officeDocument" Target="/ppt/presentation.xml"/></Relationships>`, "docProps/core.xml", core}
	list, targets := "", ""
	for i, s := range slides { // the files are numbered in another order than they are shown
		n := len(slides) - i
		list += fmt.Sprintf(`<p:sldId id="25%d" r:id="rId%d"/>`, n, n)
		targets += fmt.Sprintf(`<Relationship Id="rId%d" Type=%sslide" Target="slides/slide%d.xml"/>`, n, office, n)
		parts = append(parts, fmt.Sprintf("ppt/slides/slide%d.xml", n), `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>`+s+`</p:spTree></p:cSld></p:sld>`)
	}
	parts = append(parts, "ppt/presentation.xml", `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>`+list+`</p:sldIdLst></p:presentation>`, "ppt/_rels/presentation.xml.rels", relations+targets+`</Relationships>`)
	return zipOf(t, parts...)
}

func TestPPTXIsReadSlideBySlide(t *testing.T) {
	t.Parallel()
	e := read(t, "x", pptx(t,
		`<p:sp><p:nvSpPr><p:nvPr><p:ph type="ctrTitle"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>Наши</a:t></a:r><a:br/><a:r><a:t>цены</a:t></a:r></a:p></p:txBody></p:sp>
<p:sp><p:nvSpPr><p:nvPr><p:ph idx="1"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>раз</a:t></a:r></a:p><a:p><a:pPr lvl="1"/><a:r><a:t>два</a:t></a:r></a:p><a:p/></p:txBody></p:sp>
<p:sp><p:nvSpPr><p:nvPr><p:ph type="sldNum"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:fld><a:t>1</a:t></a:fld></a:p></p:txBody></p:sp>`,
		``,
		`<p:sp><p:txBody><a:p><a:r><a:t>надпись</a:t></a:r></a:p></p:txBody></p:sp><p:graphicFrame><a:tbl><a:tblPr firstRow="1"/><a:tr><a:tc><a:txBody><a:p><a:r><a:t>Город</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>Цена</a:t></a:r></a:p></a:txBody></a:tc></a:tr><a:tr><a:tc><a:txBody><a:p><a:r><a:t>Тверь</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>50</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`))
	require.Equal(t, domain.Extracted{Title: "Правила", Pages: 3, Blocks: []domain.Block{
		{Kind: domain.Heading, Level: 1, Page: 1, Text: "Наши цены"},
		{Kind: domain.List, Level: 1, Page: 1, Text: "- раз"},
		{Kind: domain.List, Level: 2, Page: 1, Text: "- два"},
		{Page: 3, Text: "надпись"},
		{Kind: domain.TableRow, Page: 3, Text: "Город | Цена"},
		{Kind: domain.TableRow, Page: 3, Text: "Тверь | 50", Header: "Город | Цена"},
	}}, e)
}

func epub(t testing.TB, more ...string) string {
	t.Helper()
	return zipOf(t, append([]string{
		"mimetype", "application/epub+zip",
		"META-INF/container.xml", `<container><rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`,
		"OEBPS/content.opf", `<package xmlns:dc="d"><metadata><dc:title>Книга</dc:title></metadata><manifest><item id="n" properties="nav" href="nav.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="text/%D0%B1.xhtml" media-type="application/xhtml+xml"/><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="n"/><itemref idref="b"/><itemref idref="a"/></spine></package>`,
		"OEBPS/nav.xhtml", `<html><body><ol><li>Оглавление</li></ol></body></html>`,
		"OEBPS/a.xhtml", `<?xml version="1.0"?><html xmlns="x"><head><title>a</title></head><body><p>Вторая глава</p></body></html>`,
		"OEBPS/text/б.xhtml", `<html><body><h2>Первая</h2><p>глава&#160;раз</p></body></html>`,
	}, more...)...)
}

func TestEPUBIsReadInTheOrderOfItsChapters(t *testing.T) {
	t.Parallel()
	require.Equal(t, domain.Extracted{Title: "Книга", Blocks: []domain.Block{
		{Kind: domain.Heading, Level: 2, Text: "Первая"}, {Text: "глава раз"}, {Text: "Вторая глава"},
	}}, read(t, "x", epub(t)))
	require.ErrorIs(t, wrong(t, extract.Options{}, "x.epub", epub(t, "META-INF/encryption.xml", `<e><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></e>`)), ports.ErrEncryptedFile)
	read(t, "x.epub", epub(t, "META-INF/encryption.xml", `<e><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></e>`))
}

func xlsx(t testing.TB, change func(*excelize.File)) string {
	t.Helper()
	f := excelize.NewFile()
	change(f)
	var b bytes.Buffer
	require.NoError(t, f.Write(&b))
	return b.String()
}

func TestXLSXIsReadSheetBySheet(t *testing.T) {
	t.Parallel()
	content := xlsx(t, func(f *excelize.File) {
		require.NoError(t, f.SetSheetName("Sheet1", "Цены"))
		require.NoError(t, f.SetCellValue("Цены", "A1", "Прайс-лист"))
		require.NoError(t, f.SetSheetRow("Цены", "A3", &[]any{"Город", "Цена", "Доля"}))
		require.NoError(t, f.SetSheetRow("Цены", "A4", &[]any{"Москва", 1200.5, 0.5}))
		require.NoError(t, f.SetSheetRow("Цены", "B6", &[]any{"без города"}))
		percent, err := f.NewStyle(&excelize.Style{NumFmt: 9})
		require.NoError(t, err)
		require.NoError(t, f.SetCellStyle("Цены", "C4", "C4", percent))
		_, err = f.NewSheet("Скрытый")
		require.NoError(t, err)
		require.NoError(t, f.SetCellValue("Скрытый", "A1", "нет"))
		require.NoError(t, f.SetSheetVisible("Скрытый", false))
		_, err = f.NewSheet("Пустой")
		require.NoError(t, err)
	})
	e := read(t, "x", content)
	header := "Город | Цена | Доля"
	require.Equal(t, []domain.Block{
		{Kind: domain.Heading, Level: 1, Text: "Цены"},
		{Text: "Прайс-лист"},
		{Kind: domain.TableRow, Text: header},
		{Kind: domain.TableRow, Text: "Москва | 1200.5 | 50%", Header: header},
		{Kind: domain.TableRow, Text: " | без города", Header: header},
	}, e.Blocks)
}

func TestArchivesThatAskForTooMuchFailAlone(t *testing.T) {
	t.Parallel()
	spaces := strings.Repeat(" ", 1<<20)
	var lol strings.Builder
	lol.WriteString(`<!DOCTYPE l [<!ENTITY a0 "lol">`)
	for i := range 30 {
		fmt.Fprintf(&lol, `<!ENTITY a%d "&a%d;&a%d;&a%d;">`, i+1, i, i, i)
	}
	var entries []string
	for i := range 3000 {
		entries = append(entries, fmt.Sprint("x/", i), "")
	}
	manySheets := xlsx(t, func(f *excelize.File) {
		for i := range 30 {
			_, err := f.NewSheet(fmt.Sprint("s", i))
			require.NoError(t, err)
		}
	})
	longTexts := xlsx(t, func(f *excelize.File) {
		for i := range 300 {
			require.NoError(t, f.SetCellValue("Sheet1", fmt.Sprint("A", i+1), fmt.Sprint(i, strings.Repeat("x", 30_000))))
		}
	})
	for name, c := range map[string]struct {
		content string
		limit   string // empty: ErrExtractionFailed
	}{
		"a part that unpacks to more than may be": {docx(t, `<w:p><w:r><w:t>`+strings.Repeat(`<w:t/>`+spaces, 6)+`</w:t></w:r></w:p>`), "bytes"},
		"many parts that do so together":          {pptx(t, "<!--"+spaces+spaces+"-->", "<!--"+spaces+spaces+"-->", "<!--"+spaces+spaces+"-->"), "bytes"},
		"a tag without end":                       {docx(t, `<w:p a="`+strings.Repeat("x", 9<<20)), "bytes"},
		"a workbook that unpacks to more":         {longTexts, "bytes"},
		"elements in elements":                    {docx(t, strings.Repeat(`<w:x>`, 5000)), "depth"},
		"tables in tables":                        {docx(t, strings.Repeat(`<w:tbl><w:tr><w:tc>`, 5000)), "depth"},
		"entities of entities":                    {zipOf(t, "word/document.xml", xmlHead+lol.String()+`]><w:document xmlns:w="w"><w:p><w:r><w:t>&a30;</w:t></w:r></w:p></w:document>`), ""},
		"an entity that is a file":                {zipOf(t, "word/document.xml", `<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><w:document xmlns:w="w"><w:p><w:r><w:t>&a;</w:t></w:r></w:p></w:document>`), ""},
		"too many entries":                        {docx(t, "", entries...), "entries"},
		"too many slides":                         {pptx(t, make([]string, 30)...), "pages"},
		"too many sheets":                         {manySheets, "sheets"},
	} {
		err := wrong(t, extract.Options{Limits: extract.Limits{Bytes: 5 << 20, Entries: 2000, Pages: 20, Depth: 200}}, "x", c.content)
		if name == "a tag without end" {
			err = wrong(t, extract.Options{}, "x", c.content)
		}
		if c.limit == "" {
			require.ErrorIs(t, err, ports.ErrExtractionFailed, name)
			continue
		}
		failure, ok := errors.AsType[*fail.Error](err)
		require.True(t, ok)
		require.Equal(t, "TOO_LARGE", failure.Code, "%s: %v", name, err)
		require.Equal(t, c.limit, failure.Details["limit"], name)
	}
}

func TestABombIsNotUnpackedIntoMemory(t *testing.T) { //nolint:paralleltest // it measures what is allocated
	bomb := docx(t, strings.Repeat(`<w:p><w:pPr/>`+strings.Repeat("\n", 4000)+`</w:p>`, 1<<14)) // 64 MiB in a few KiB
	require.Less(t, len(bomb), 1<<20)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	require.ErrorIs(t, wrong(t, extract.Options{Limits: extract.Limits{Bytes: 60 << 20}}, "x.docx", bomb), ports.ErrFileHasTooMuch)
	runtime.ReadMemStats(&after)
	require.Less(t, after.HeapSys-min(before.HeapSys, after.HeapSys), uint64(32<<20))
}

func TestArchivesThatAreNoDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, wrong(t, extract.Options{}, "x.docx", zipOf(t, "a.txt", "text")), ports.ErrUnsupportedFile)
	require.ErrorIs(t, wrong(t, extract.Options{}, "x.docx", docx(t, "")), ports.ErrNoText)
	require.ErrorIs(t, wrong(t, extract.Options{}, "x.docx", docx(t, wordBody)[:500]), ports.ErrExtractionFailed)
	require.ErrorIs(t, wrong(t, extract.Options{}, "x.docx", docx(t, "<w:p><w:r>")), ports.ErrExtractionFailed)

	encrypted := []byte(docx(t, wordBody)) // the flag of the central directory says so
	for at := 0; ; {
		next := bytes.Index(encrypted[at:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		at += next + 8
		binary.LittleEndian.PutUint16(encrypted[at:], binary.LittleEndian.Uint16(encrypted[at:])|1)
	}
	require.ErrorIs(t, wrong(t, extract.Options{}, "x.docx", string(encrypted)), ports.ErrEncryptedFile)
}

func FuzzOffice(f *testing.F) {
	f.Add(wordBody, wordStyle, core)
	f.Add(`<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a`, `<w:style w:styleId="1"><w:basedOn w:val="1"/>`, `<title>`)
	e := extract.New(extract.Options{})
	f.Fuzz(func(t *testing.T, body, styles, title string) {
		requireReadable(t, e, source("x", zipOf(t, "docProps/core.xml", title, "word/styles.xml", styles, "word/document.xml", body)))
		requireReadable(t, e, source("x", pptx(t, body, styles)))
	})
}

func FuzzEPUB(f *testing.F) {
	f.Add(`<container><rootfile full-path="a.opf"/></container>`, `<package><item id="a" media-type="text/html" href="a"/><itemref idref="a"/></package>`, "<p>a")
	e := extract.New(extract.Options{})
	f.Fuzz(func(t *testing.T, container, book, chapter string) {
		requireReadable(t, e, source("x", zipOf(t, "META-INF/container.xml", container, "a.opf", book, "a", chapter)))
	})
}

func FuzzXLSX(f *testing.F) {
	parts := map[string]string{}
	content := xlsx(f, func(x *excelize.File) { _ = x.SetSheetRow("Sheet1", "A1", &[]any{"a", 1, true}) })
	z, err := zip.NewReader(strings.NewReader(content), int64(len(content)))
	require.NoError(f, err)
	for _, part := range z.File {
		r, err := part.Open()
		require.NoError(f, err)
		data, err := io.ReadAll(r)
		require.NoError(f, err)
		parts[part.Name] = string(data)
	}
	f.Add(parts["xl/worksheets/sheet1.xml"], parts["xl/sharedStrings.xml"], parts["xl/styles.xml"])
	e := extract.New(extract.Options{})
	f.Fuzz(func(t *testing.T, sheet, texts, styles string) {
		var all []string
		for name, content := range parts {
			switch name {
			case "xl/worksheets/sheet1.xml":
				content = sheet
			case "xl/sharedStrings.xml":
				content = texts
			case "xl/styles.xml":
				content = styles
			}
			all = append(all, name, content)
		}
		requireReadable(t, e, source("x", zipOf(t, all...)))
	})
}

// FuzzArchive is for the container itself.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(docx(f, wordBody)))
	f.Add([]byte(epub(f)))
	e := extract.New(extract.Options{})
	f.Fuzz(func(t *testing.T, content []byte) { requireReadable(t, e, source("x", string(content))) })
}
