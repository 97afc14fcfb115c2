package extract

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/parley/parley/modules/knowledge/ports"
)

const (
	pdfNice   = 10              // of the processes that read PDFs: anything else goes before them
	pdfFile   = 3               // the descriptor of the file
	starting  = time.Second     // processor time beside that of the file
	compiling = 5 * time.Minute // processor time
)

// ReadPDF is the program of the processes that read PDFs: it reads a request from in and the file from descriptor 3, and writes
// the text to out. It lowers the priority of this process, and ends it when in is closed: whoever started it has gone.
func ReadPDF(in io.Reader, out io.Writer) error {
	requests := bufio.NewReader(in)
	var request pdfRequest
	line, err := requests.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, requests)
		os.Exit(1) //nolint:forbidigo // whoever wanted the PDF is gone, and nothing else stops PDFium
	}()
	limit := compiling
	if request.Size > 0 {
		limit = request.Limits.Time + starting
	}
	standBack(limit)
	w := bufio.NewWriter(out)
	if err := json.NewEncoder(w).Encode(pdfLine{End: answerPDF(request, json.NewEncoder(w))}); err != nil {
		return fmt.Errorf("write the text: %w", err)
	}
	return w.Flush()
}

// standBack makes other processes go before this one, and has the kernel end it when it has taken a processor time.
func standBack(limit time.Duration) {
	// Each is a precaution that a system may refuse.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, pdfNice) // all threads of the process
	seconds := uint64((limit + time.Second - 1) / time.Second)
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: seconds, Max: seconds})
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // where memory is short, this one ends first
}

// answerPDF reads the file of a request, writes its blocks, and returns how that ended.
func answerPDF(request pdfRequest, blocks *json.Encoder) *pdfEnd {
	reader := &pdfReader{cacheDir: request.CacheDir}
	if request.Size == 0 {
		if err := reader.prepare(context.Background()); err != nil {
			return endOf(err)
		}
		return &pdfEnd{}
	}
	out := &output{ctx: context.Background(), limits: request.Limits}
	if err := readRecovered(reader, ports.ExtractionSource{Content: os.NewFile(pdfFile, "file"), Size: request.Size}, out); err != nil {
		return endOf(err)
	}
	for i := range out.extracted.Blocks {
		if err := blocks.Encode(pdfLine{Block: &out.extracted.Blocks[i]}); err != nil {
			return endOf(fmt.Errorf("%w: %w", errNotReady, err))
		}
	}
	return &pdfEnd{Title: out.extracted.Title, Pages: out.extracted.Pages}
}

func readRecovered(r *pdfReader, file ports.ExtractionSource, out *output) (err error) {
	defer recovered(&err)
	return r.read(out.ctx, file, out)
}
