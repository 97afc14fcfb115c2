package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ingest measures how quickly documents are indexed, without embeddings: many small ones, large ones, and a PDF, which it
// also reads while turns are taken. The documents are queued while nobody works on them; then the program is started anew.
type ingest struct {
	binary, dir, docs string
	pdf               string // a file; "": a book is made
	small             int    // documents
}

func (i ingest) run(ctx context.Context) error {
	texts, err := i.texts(i.small)
	if err != nil {
		return err
	}
	err = i.measure(ctx, "small documents", func(b *bench) error {
		for n, text := range texts {
			if _, err := b.post(ctx, b.base+"/documents", map[string]any{"title": "Part " + strconv.Itoa(n), "text": text}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range []int{1, 4} {
		err = i.measure(ctx, fmt.Sprintf("large documents, %d", n), func(b *bench) error {
			for part := range slices.Chunk(texts, max(len(texts)/n, 1)) {
				if _, err := b.upload(ctx, "large.txt", []byte(strings.Join(part, "\n\n"))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	err = i.measure(ctx, "a PDF", func(b *bench) error {
		content, err := i.book()
		if err == nil {
			_, err = b.upload(ctx, "book.pdf", content)
		}
		return err
	})
	if err != nil {
		return err
	}
	return i.besideTurns(ctx)
}

// book returns the PDF.
func (i ingest) book() ([]byte, error) {
	if i.pdf != "" {
		return os.ReadFile(i.pdf)
	}
	return book(500), nil
}

// measure adds documents, has them indexed, and prints how long that took.
func (i ingest) measure(ctx context.Context, name string, add func(b *bench) error) error {
	dir, err := os.MkdirTemp(i.dir, "ingest-")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	idle, err := start(ctx, i.binary, dir, "WORKERS=0")
	if err != nil {
		return err
	}
	defer idle.stop()
	b := bench{client: idle}
	if err := b.makeBase(ctx); err != nil {
		return err
	}
	if err := add(&b); err != nil {
		return err
	}
	idle.stop()
	working, err := restart(ctx, i.binary, dir, idle)
	if err != nil {
		return err
	}
	defer working.stop()
	b.client = working
	peak, cpu := working.watchMemory(), processorTime(working.pid)
	began, indexed, err := b.indexedFrom(ctx)
	if err != nil {
		return err
	}
	took := indexed.Sub(began)
	cpu = processorTime(working.pid) - cpu
	base, err := b.get(ctx, b.base)
	if err != nil {
		return err
	}
	documents := base["documents"].(map[string]any)
	chunks, pages, err := b.total(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.0f ready, %.0f failed, %d chunks after %s and %s of processors: %.0f chunks/s, %.0f a processor", name, documents["ready"], documents["failed"],
		chunks, took.Round(10*time.Millisecond), cpu.Round(10*time.Millisecond), float64(chunks)/took.Seconds(), float64(chunks)/cpu.Seconds())
	if pages > 0 {
		fmt.Printf(", %d pages, %.1f pages/s, %.1f a processor", pages, float64(pages)/took.Seconds(), float64(pages)/cpu.Seconds())
	}
	process, children := peak()
	fmt.Printf("; peak memory of the process %d MiB, of its readers %d MiB\n", process, children)
	return nil
}

var space = regexp.MustCompile(`\s+`)

// texts returns parts of the handbook in several languages, of about 1,500 characters each.
func (i ingest) texts(n int) (texts []string, err error) {
	var pages []string
	for _, language := range []string{"en-US", "ru-RU", "de-DE", "fr-FR", "es-ES", "it-IT", "pl-PL", "pt-BR"} {
		found, err := filepath.Glob(filepath.Join(i.docs, "debian-handbook/html", language, "*.html"))
		if err != nil {
			return nil, err
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			return nil, err
		}
		text := []rune(space.ReplaceAllString(tag.ReplaceAllString(string(content), " "), " "))
		for part := range slices.Chunk(text, 1500) {
			if texts = append(texts, string(part)); len(texts) == n {
				return texts, nil
			}
		}
	}
	if len(texts) == 0 {
		return nil, errors.New("there are no texts: is the corpus unpacked?")
	}
	return texts, nil
}

// makeBase makes the knowledge base.
func (b *bench) makeBase(ctx context.Context) error {
	base, err := b.post(ctx, "/v1/knowledge-bases", map[string]any{"name": "Debian"})
	if err != nil {
		return err
	}
	b.base = "/v1/knowledge-bases/" + base["id"].(string)
	return nil
}

// indexedFrom waits until all documents are indexed, and returns since when the first was, or was worked on, and when the last
// was.
func (b *bench) indexedFrom(ctx context.Context) (began, ended time.Time, err error) {
	began = time.Now()
	for {
		base, err := b.get(ctx, b.base)
		if err != nil {
			return began, ended, err
		}
		d := base["documents"].(map[string]any)
		if d["ready"].(float64)+d["failed"].(float64) == d["total"].(float64) {
			return began, time.Now(), nil
		}
		select {
		case <-ctx.Done():
			return began, ended, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// total returns how many chunks and pages the documents have.
func (b *bench) total(ctx context.Context) (chunks, pages int, err error) {
	cursor := ""
	for {
		list, err := b.get(ctx, b.base+"/documents?limit=100"+cursor)
		if err != nil {
			return 0, 0, err
		}
		for _, item := range list["items"].([]any) {
			d := item.(map[string]any)
			chunks += int(number0(d["chunks"]))
			pages += int(number0(d["pages"]))
		}
		next, _ := list["next_cursor"].(string)
		if next == "" {
			return chunks, pages, nil
		}
		cursor = "&cursor=" + next
	}
}

func number0(v any) float64 {
	n, _ := v.(float64)
	return n
}

// watchMemory begins to look at the memory of the program, and returns a function that ends that and returns the peaks, in MiB:
// of the process, and of its children of the same program together.
func (c *client) watchMemory() func() (process, children int) {
	done := make(chan struct{})
	ended := make(chan int)
	go func() {
		most := 0
		for {
			most = max(most, childrenMemory(c.pid))
			select {
			case <-done:
				ended <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() (int, int) {
		close(done)
		return memoryOf(c.pid, "VmHWM"), <-ended
	}
}

// childrenMemory returns the resident memory of the children of a process that run the same program.
func childrenMemory(pid int) (total int) {
	program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		list, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(list)) {
			id, _ := strconv.Atoi(child)
			if its, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", id)); its == program {
				total += memoryOf(id, "VmRSS")
			}
		}
	}
	return total
}

// processorTime returns the processor time that a process and all its descendants have taken, also those that have ended.
func processorTime(pid int) (total time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ of Linux
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, after, ok := strings.Cut(string(stat), ") "); ok {
		for i, field := range strings.Fields(after) {
			if i >= 11 && i <= 14 { // utime, stime, cutime, cstime
				n, _ := strconv.Atoi(field)
				total += time.Duration(n) * tick
			}
		}
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		list, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(list)) {
			id, _ := strconv.Atoi(child)
			total += processorTime(id)
		}
	}
	return total
}

// memoryOf returns a line of /proc/PID/status in MiB.
func memoryOf(pid int, name string) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if n, value, _ := strings.Cut(line, ":"); n == name {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kib / 1024
		}
	}
	return 0
}
