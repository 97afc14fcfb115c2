package extract_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/knowledge/adapters/extract"
	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// pdfCommand is this test as a reader of PDFs, by TestMain.
var pdfCommand = []string{os.Args[0], "read-pdf"}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == pdfCommand[1] {
		if err := extract.ReadPDF(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// pdfCache is where all tests of the machine keep the compiled reader: compiling it takes longer than all of them.
func pdfCache(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "parley-test-pdf") //nolint:usetesting // it outlives the test
	require.NoError(t, os.MkdirAll(dir, 0o700))
	return dir
}

// sharedPDF reads by processes. fuzzedPDF reads in this one: a process for each of thousands of inputs would take hours.
var (
	sharedPDF = sync.OnceValue(func() *extract.Extractor { return cachedPDF(pdfCommand) })
	fuzzedPDF = sync.OnceValue(func() *extract.Extractor { return cachedPDF(nil) })
)

func cachedPDF(reader []string) *extract.Extractor {
	dir := filepath.Join(os.TempDir(), "parley-test-pdf")
	_ = os.MkdirAll(dir, 0o700)
	return extract.New(extract.Options{CacheDir: dir, MaxConcurrent: 2, PDFReader: reader})
}

// pdfReaders are the two ways in which PDFs are read.
func pdfReaders(t *testing.T, limits extract.Limits) map[string]*extract.Extractor {
	t.Helper()
	all := map[string]*extract.Extractor{
		"by a process": extract.New(extract.Options{CacheDir: pdfCache(t), PDFReader: pdfCommand, Limits: limits}),
		"in this one":  extract.New(extract.Options{CacheDir: pdfCache(t), Limits: limits}),
	}
	for _, e := range all {
		t.Cleanup(func() { require.NoError(t, e.Close()) })
	}
	return all
}

// pdf makes a document of objects, numbered from 1 on; the first is the catalog.
func pdf(objects ...string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d /Root 1 0 R /Info 3 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.String()
}

func stream(dictionary, content string) string {
	return fmt.Sprintf("<<%s /Length %d>>\nstream\n%s\nendstream", dictionary, len(content), content)
}

func deflated(content string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(content))
	_ = z.Close()
	return b.String()
}

// pdfText makes a document of pages of lines. Its font has glyphs by number, which only a table of the document makes
// letters of, as in documents of LaTeX and of word processors.
func pdfText(pages ...[]string) string {
	const first = 8
	title := ""
	for _, u := range utf16.Encode([]rune("Правила магазина")) {
		title += fmt.Sprintf("%04X", u)
	}
	var table strings.Builder
	table.WriteString("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange <0000> <FFFF> endcodespacerange\n")
	for _, block := range [][2]int{{0x20, 0x7e}, {0x410, 0x44f}, {0x2010, 0x2022}} {
		fmt.Fprintf(&table, "1 beginbfrange <%04X> <%04X> <%04X> endbfrange\n", block[0]+7, block[1]+7, block[0])
	}
	table.WriteString("endcmap end end")
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", first+2*i)
	}
	objects := []string{
		"<</Type /Catalog /Pages 2 0 R>>",
		fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s] /MediaBox [0 0 595 842] /Resources <</Font <</F 4 0 R>>>>>>", len(pages), kids),
		"<</Title <FEFF" + title + ">>>",
		"<</Type /Font /Subtype /Type0 /BaseFont /AAAAAA+X /Encoding /Identity-H /DescendantFonts [5 0 R] /ToUnicode 7 0 R>>",
		"<</Type /Font /Subtype /CIDFontType2 /BaseFont /AAAAAA+X /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor 6 0 R /DW 500>>",
		"<</Type /FontDescriptor /FontName /AAAAAA+X /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80>>",
		stream("", table.String()),
	}
	for i, lines := range pages {
		var content strings.Builder
		content.WriteString("BT /F 10 Tf 14 TL 50 800 Td\n")
		for _, line := range lines {
			content.WriteByte('<')
			for _, r := range line {
				fmt.Fprintf(&content, "%04X", r+7)
			}
			content.WriteString("> Tj T*\n")
		}
		content.WriteString("ET")
		objects = append(objects, fmt.Sprintf("<</Type /Page /Parent 2 0 R /Contents %d 0 R>>", first+2*i+1), stream("/Filter /FlateDecode", deflated(content.String())))
	}
	return pdf(objects...)
}

func book(pages int) string {
	all := make([][]string, pages)
	for i := range all {
		all[i] = append(all[i], "Глава "+strconv.Itoa(i+1))
		for range 45 {
			all[i] = append(all[i], "Клиент может вернуть товар в течение четырнадцати дней со дня покупки, если")
		}
	}
	return pdfText(all...)
}

func TestPDFIsReadPageByPage(t *testing.T) {
	t.Parallel()
	for name, e := range pdfReaders(t, extract.Limits{}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := e.Extract(t.Context(), source("x", pdfText(
				[]string{"Возврат", "Клиент может вернуть товар в течение четырнадцати дней, и день-", "ги придут на карту.", "Исключение: товары, изготовленные на заказ по размерам клиента.", "", "• раз", "• два"},
				nil,
				[]string{"Third page in English."})))
			require.NoError(t, err)
			require.Equal(t, domain.Extracted{Title: "Правила магазина", Pages: 3, Blocks: []domain.Block{
				{Page: 1, Text: "Возврат"},
				{Page: 1, Text: "Клиент может вернуть товар в течение четырнадцати дней, и деньги придут на карту."},
				{Page: 1, Text: "Исключение: товары, изготовленные на заказ по размерам клиента."},
				{Kind: domain.List, Page: 1, Text: "• раз"},
				{Kind: domain.List, Page: 1, Text: "• два"},
				{Page: 3, Text: "Third page in English."},
			}}, got)
		})
	}
}

func TestPDFsThatCannotBeReadSayWhy(t *testing.T) {
	t.Parallel()
	catalog, page := "<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [4 0 R]>>"
	locked := strings.Replace(pdfText([]string{"тайна"}), "/Root 1 0 R", "/Root 1 0 R /Encrypt <</Filter /Standard /V 1 /R 2 /P -4 /O <"+strings.Repeat("41", 32)+"> /U <"+strings.Repeat("42", 32)+">>> /ID [<41><41>]", 1)
	hurried := extract.New(extract.Options{CacheDir: pdfCache(t), MaxConcurrent: 2, PDFReader: pdfCommand, Limits: extract.Limits{Time: 2 * time.Second}})
	t.Cleanup(func() { require.NoError(t, hurried.Close()) })
	bomb := deflated(strings.Repeat(" ", 300<<20))
	for name, c := range map[string]struct {
		content string
		want    error
	}{
		"a password":                       {locked, ports.ErrEncryptedFile},
		"a scan":                           {pdf(catalog, page, "<<>>", "<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>"), ports.ErrNoText},
		"no document":                      {"%PDF-1.7\n" + strings.Repeat("x", 500), ports.ErrExtractionFailed},
		"half of one":                      {pdfText([]string{"a"})[:300], ports.ErrExtractionFailed},
		"pages that hold themselves":       {pdf(catalog, "<</Type /Pages /Count 9 /Kids [2 0 R 2 0 R]>>", "<<>>"), nil},
		"a page that draws itself":         {pdf(catalog, page, "<<>>", "<</Type /Page /Parent 4 0 R /MediaBox [0 0 9 9] /Contents 5 0 R /Resources <</XObject <</X 6 0 R>>>>>>", stream("", "/X Do"), stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X 6 0 R>>>>", "/X Do /X Do")), nil},
		"arrays in arrays":                 {pdf(catalog, page, "<<>>", strings.Repeat("[", 200_000)), nil},
		"a content of 300 MiB":             {pdf(catalog, page, "<<>>", "<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R>>", stream("/Filter /FlateDecode", bomb)), ports.ErrFileHasTooMuch},
		"more pages than there are":        {pdf(catalog, "<</Type /Pages /Count 2000000000 /Kids [4 0 R]>>", "<<>>", "<</Type /Page /Parent 2 0 R>>"), nil},
		"a reference to what is not there": {pdf(catalog), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			e := sharedPDF()
			if c.want == nil { // it may also take too long
				e = hurried
			}
			_, err := e.Extract(ctx, source("x.pdf", c.content))
			require.NoError(t, ctx.Err())
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			} else {
				_ = asFailure(t, err)
			}
		})
	}
}

func TestAPDFThatTakesTooLongEndsAndTheNextIsRead(t *testing.T) {
	t.Parallel()
	content := deflated(strings.Repeat("q Q\n", 12_000_000)) // takes time, and no memory beyond its own
	objects := pdf("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [4 0 R]>>", "<<>>", "<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R>>", stream("/Filter /FlateDecode", content))
	for name, e := range pdfReaders(t, extract.Limits{Time: time.Second}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := e.Extract(t.Context(), source("x", objects))
			require.ErrorIs(t, err, ports.ErrFileHasTooMuch)
			require.Equal(t, "seconds", asFailure(t, err).Details["limit"])
			got, err := e.Extract(t.Context(), source("x", pdfText([]string{"второй"})))
			require.NoError(t, err)
			require.Equal(t, "второй", got.Blocks[0].Text)

			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			_, err = e.Extract(ctx, source("x", objects))
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestAPDFThatNeedsMoreMemoryThanItMayHaveIsTooLarge(t *testing.T) {
	t.Parallel()
	content := stream("/Filter /FlateDecode", deflated(strings.Repeat(" ", 300<<20)))
	objects := pdf("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [4 0 R]>>", "<<>>", "<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R>>", content)
	for name, e := range pdfReaders(t, extract.Limits{}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := e.Extract(t.Context(), source("x", objects))
			require.ErrorIs(t, err, ports.ErrFileHasTooMuch)
			require.Equal(t, "memory_bytes", asFailure(t, err).Details["limit"])
			got, err := e.Extract(t.Context(), source("x", pdfText([]string{"второй"})))
			require.NoError(t, err)
			require.Equal(t, "второй", got.Blocks[0].Text)
		})
	}
}

func TestAReaderOfPDFsThatFailsIsNoFaultOfTheFile(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{"it is not there": {filepath.Join(t.TempDir(), "no")}, "it ends": {"true"}, "it says something else": {"echo", "x"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := extract.New(extract.Options{PDFReader: command}).Extract(t.Context(), source("x", pdfText([]string{"a"})))
			require.Error(t, err)
			_, permanent := errors.AsType[*fail.Error](err)
			require.False(t, permanent, "%v", err)
		})
	}
}

func TestALimitOfPagesHoldsForPDF(t *testing.T) {
	t.Parallel()
	e := extract.New(extract.Options{CacheDir: pdfCache(t), Limits: extract.Limits{Pages: 2}})
	defer e.Close()
	_, err := e.Extract(t.Context(), source("x", book(3)))
	require.ErrorIs(t, err, ports.ErrFileHasTooMuch)
	require.Equal(t, "pages", asFailure(t, err).Details["limit"])
}

func FuzzPDF(f *testing.F) {
	simple := pdfText([]string{"Возврат"}, []string{"a"})
	requireReadable(f, fuzzedPDF(), source("x.pdf", simple)) // compiles PDFium: an input that takes 10 s counts as one that hangs
	f.Add([]byte(simple))
	f.Add([]byte(pdf("<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Count 1 /Kids [2 0 R]>>", "<<>>")))
	f.Fuzz(func(t *testing.T, content []byte) {
		requireReadable(t, fuzzedPDF(), source("x.pdf", "%PDF-"+string(content)))
	})
}

// rss returns the resident memory of the process and its peak, in MiB.
func rss(b testing.TB) (now, peak float64) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kib / 1024
		case "VmHWM":
			peak = kib / 1024
		}
	}
	return now, peak
}

// cpuSeconds returns the processor time of the process and of its readers that have ended.
func cpuSeconds(b testing.TB) float64 {
	b.Helper()
	seconds := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(who, &u))
		seconds += float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
	}
	return seconds
}

// lateness begins to measure how late timers fire and returns a function that ends it and returns the 99th percentile in
// milliseconds.
func lateness(b testing.TB) func() float64 {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	result := make(chan []time.Duration)
	go func() {
		var all []time.Duration
		for at := time.Now(); ctx.Err() == nil; at = time.Now() {
			<-time.After(time.Millisecond)
			all = append(all, time.Since(at)-time.Millisecond)
		}
		result <- all
	}()
	return func() float64 {
		stop()
		all := <-result
		slices.Sort(all)
		return float64(all[len(all)*99/100].Microseconds()) / 1000
	}
}

// BenchmarkPDF reads a book of 500 pages, that of PARLEY_BENCH_PDF where it is set, and measures how late timers of
// the process are meanwhile, and before.
func BenchmarkPDF(b *testing.B) {
	content := book(500)
	if path := os.Getenv("PARLEY_BENCH_PDF"); path != "" {
		data, err := os.ReadFile(path)
		require.NoError(b, err)
		content = string(data)
	}
	e := extract.New(extract.Options{CacheDir: pdfCache(b), PDFReader: pdfCommand})
	defer e.Close()
	_, err := e.Extract(b.Context(), source("x", pdfText([]string{"первый"})))
	require.NoError(b, err)
	runtime.GC()
	before, _ := rss(b)
	late := lateness(b)
	<-time.After(3 * time.Second)
	idle := late()
	late = lateness(b)
	cpu := cpuSeconds(b)
	pages, characters := 0, 0
	for b.Loop() {
		got, err := e.Extract(b.Context(), source("x", content))
		require.NoError(b, err)
		pages += got.Pages
		for _, block := range got.Blocks {
			characters += len(block.Text)
		}
	}
	b.ReportMetric(idle, "ms-late-idle")
	b.ReportMetric(late(), "ms-late")
	b.ReportMetric(float64(pages)/(cpuSeconds(b)-cpu), "pages/cpu-s")
	b.ReportMetric(float64(pages)/b.Elapsed().Seconds(), "pages/s")
	b.ReportMetric(float64(characters)/float64(pages), "bytes/page")
	_, peak := rss(b)
	b.ReportMetric(before, "MiB-before")
	b.ReportMetric(peak, "MiB-peak")
	var readers syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &readers))
	b.ReportMetric(float64(readers.Maxrss)/1024, "MiB-reader-peak") // in kB, on Linux
}
