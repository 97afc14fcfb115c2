// Command knowledge measures how well and how quickly knowledge bases are searched by words, on Debian's FAQ in English and Russian
// with the Debian handbook as distractors. It starts the program with a database of its own.
//
// Each answer of the FAQ is a document without its question, which is what is asked: a hit is that document among the first five.
// The Russian FAQ has some questions and answers in English, which are in the English FAQ too: either document is a hit.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-knowledge:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	binary := flag.String("binary", "bin/parley", "the program")
	corpus := flag.String("corpus", "bin/corpus", "the folder into which the packages are unpacked")
	headings := flag.Bool("headings", false, "leave the questions in the documents, as headings")
	fill := flag.Int("fill", 0, "search again when there are so many chunks, of the handbook in other languages, time and again")
	others := flag.Int("others", 0, "search again when another workspace has so many chunks")
	ingested := flag.Int("ingest", 0, "measure instead how quickly so many small documents, a large one and a PDF are indexed")
	pdf := flag.String("pdf", "", "the PDF; else a book of 500 pages is made")
	flag.Parse()
	dir, err := os.MkdirTemp("", "parley-bench-knowledge-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the database may run as another user
		return err
	}
	if *ingested > 0 {
		return ingest{binary: *binary, dir: dir, docs: filepath.Join(*corpus, "usr/share/doc"), pdf: *pdf, small: *ingested}.run(ctx)
	}
	c, err := start(ctx, *binary, dir)
	if err != nil {
		return err
	}
	defer c.stop()
	b := bench{client: c, docs: filepath.Join(*corpus, "usr/share/doc"), headings: *headings}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.askAll(ctx); err != nil {
		return err
	}
	if *fill > 0 {
		if err := b.fill(ctx, *fill); err != nil {
			return err
		}
		if err := b.askAll(ctx); err != nil {
			return err
		}
	}
	if *others > 0 {
		if err := b.fillAnother(ctx, *others); err != nil {
			return err
		}
		return b.askAll(ctx)
	}
	return nil
}

// bench is the knowledge base and the questions.
type bench struct {
	*client
	docs, base string
	headings   bool
	questions  map[string][]question
}

// question is a heading of the FAQ and the documents of its answer: two, where the same is in the FAQ of both languages.
type question struct {
	text      string
	documents []string
}

var (
	section = regexp.MustCompile(`(?s)<h2 class="title">(.*?)</h2>(.*?)(?:<div class="section">|<div class="navfooter">)`)
	tag     = regexp.MustCompile(`<[^>]*>`)
	number  = regexp.MustCompile(`^[0-9. ]+`)
	// existing finds the document of the same content in an error.
	existing = regexp.MustCompile(`DOCUMENT_EXISTS.*"document_id": ?"([0-9a-f-]+)"`)
)

// prepare makes the base with all answers and the handbook in both languages.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.makeBase(ctx); err != nil {
		return err
	}
	b.questions = map[string][]question{}
	began := time.Now()
	for language, pattern := range map[string]string{"en": "debian/FAQ/*.en.html", "ru": "debian/FAQ/ru/*.ru.html"} {
		pages, err := filepath.Glob(filepath.Join(b.docs, pattern))
		if err != nil {
			return err
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				return err
			}
			for n, found := range section.FindAllSubmatch(text, -1) {
				asked := number.ReplaceAllString(strings.TrimSpace(html.UnescapeString(tag.ReplaceAllString(string(found[1]), ""))), "")
				asked = strings.Join(strings.Fields(asked), " ")
				content := string(found[2])
				if b.headings {
					content = "<h2>" + asked + "</h2>" + content
				}
				id, err := b.upload(ctx, fmt.Sprintf("%s-%d.html", filepath.Base(page), n), []byte("<html><body><div>"+content+"</div></body></html>"))
				if err != nil {
					return err
				}
				b.questions[language] = append(b.questions[language], question{asked, []string{id}})
			}
		}
	}
	for i, english := range b.questions["en"] {
		for j, russian := range b.questions["ru"] {
			if english.text == russian.text {
				both := slices.Concat(english.documents, russian.documents)
				b.questions["en"][i].documents, b.questions["ru"][j].documents = both, both
			}
		}
	}
	for _, language := range []string{"en-US", "ru-RU"} {
		if err := b.handbook(ctx, language, 0); err != nil {
			return err
		}
	}
	return b.indexed(ctx, began)
}

// handbook adds the pages of the handbook in a language. Those of each round are other files.
func (b *bench) handbook(ctx context.Context, language string, round int) error {
	pages, err := filepath.Glob(filepath.Join(b.docs, "debian-handbook/html", language, "*.html"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if round > 0 {
			text = fmt.Appendf(text, "<!-- %d -->", round)
		}
		if _, err := b.upload(ctx, fmt.Sprintf("%s-%d-%s", language, round, filepath.Base(page)), text); err != nil {
			return err
		}
	}
	return nil
}

// askAll asks all questions.
func (b *bench) askAll(ctx context.Context) error {
	for _, language := range []string{"en", "ru"} {
		if err := b.ask(ctx, language); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) chunks(ctx context.Context) (int, error) {
	base, err := b.get(ctx, b.base)
	if err != nil {
		return 0, err
	}
	return int(base["chunks"].(float64)), nil
}

// indexed waits until all documents are, and prints how many there are.
func (b *bench) indexed(ctx context.Context, began time.Time) error {
	for {
		base, err := b.get(ctx, b.base)
		if err != nil {
			return err
		}
		d := base["documents"].(map[string]any)
		if d["ready"].(float64)+d["failed"].(float64) == d["total"].(float64) {
			fmt.Printf("%.0f documents, %.0f failed, %.0f chunks, after %s\n", d["total"], d["failed"], base["chunks"], time.Since(began).Round(time.Millisecond))
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ask asks all questions in a language and prints what was found.
func (b *bench) ask(ctx context.Context, language string) error {
	var times []time.Duration
	hits, ranks := 0, 0.0
	for _, q := range b.questions[language] {
		began := time.Now()
		found, err := b.post(ctx, b.base+"/search", map[string]any{"query": q.text, "top_k": 10})
		if err != nil {
			return err
		}
		times = append(times, time.Since(began))
		for i, item := range found["items"].([]any) {
			if id := item.(map[string]any)["document_id"].(string); slices.Contains(q.documents, id) {
				ranks += 1 / float64(i+1)
				if i < 5 {
					hits++
				}
				break
			}
		}
	}
	n := len(b.questions[language])
	if n == 0 {
		return errors.New("there are no questions: is the corpus unpacked?")
	}
	slices.Sort(times)
	fmt.Printf("%s: %d questions, hit@5 %.2f, MRR %.2f, p50 %s, p95 %s\n", language, n, float64(hits)/float64(n), ranks/float64(n),
		times[n/2].Round(100*time.Microsecond), times[n*95/100].Round(100*time.Microsecond))
	return nil
}

// upload makes a file and a document of it, and returns the id of the document.
func (b *bench) upload(ctx context.Context, name string, content []byte) (string, error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		return "", err
	}
	if _, err := part.Write(content); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	file, err := b.call(ctx, http.MethodPost, "/v1/files", w.FormDataContentType(), form.Bytes())
	if err != nil {
		return "", err
	}
	document, err := b.post(ctx, b.base+"/documents", map[string]any{"file_id": file["id"]})
	if err != nil {
		if there := existing.FindStringSubmatch(err.Error()); there != nil {
			return there[1], nil
		}
		return "", err
	}
	return document["id"].(string), nil
}

// client calls the program.
type client struct {
	url, token string
	pid        int
	stop       func()
}

// start starts the program and registers a user.
func start(ctx context.Context, binary, dir string, settings ...string) (*client, error) {
	return serve(ctx, binary, dir, func(c *client) error {
		user, err := c.post(ctx, "/v1/auth/register", map[string]any{"email": "bench@example.com", "password": "correct horse battery", "workspace_name": "Bench"})
		if err == nil {
			c.token = user["access_token"].(string)
		}
		return err
	}, settings...)
}

// restart starts the program anew for the user of a client of before.
func restart(ctx context.Context, binary, dir string, before *client, settings ...string) (*client, error) {
	return serve(ctx, binary, dir, func(c *client) error {
		c.token = before.token
		_, err := c.get(ctx, "/v1/knowledge-bases")
		return err
	}, settings...)
}

// serve starts the program and waits until a first call succeeds.
func serve(ctx context.Context, binary, dir string, first func(c *client) error, settings ...string) (*client, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // an address that is free
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = append(os.Environ(), "DATA_DIR="+filepath.Join(dir, "data"), "HTTP_ADDR="+address, "RATE_LIMIT_MAX=1000000000", "LOG_LEVEL=warn", "ACCESS_TTL=24h")
	cmd.Env = append(cmd.Env, settings...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var once sync.Once
	c := &client{url: "http://" + address, pid: cmd.Process.Pid, stop: func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		})
	}}
	for range 3000 {
		if err := first(c); err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	c.stop()
	return nil, errors.New("the program does not serve")
}

func (c *client) get(ctx context.Context, path string) (map[string]any, error) {
	return c.call(ctx, http.MethodGet, path, "", nil)
}

func (c *client) post(ctx context.Context, path string, body any) (map[string]any, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPost, path, "application/json", raw)
}

func (c *client) call(ctx context.Context, method, path, contentType string, body []byte) (answer map[string]any, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return answer, json.Unmarshal(text, &answer)
}
