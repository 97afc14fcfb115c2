package extract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/fail"
)

// pdfProcesses has each PDF read by a process of its own, of low priority, which ReadPDF is the program of. A process ends at once when
// its file takes too long, and gives back all memory when it ends.
type pdfProcesses struct {
	command  []string
	cacheDir string
	limits   Limits

	preparing sync.Mutex
	prepared  bool
}

// pdfRequest is the first line of the standard input of a process. The file is its descriptor 3; without one it only compiles
// PDFium into the cache.
type pdfRequest struct {
	CacheDir string `json:"cache_dir"`
	Size     int64  `json:"size"` // of the file; 0: there is none
	Limits   Limits `json:"limits"`
}

// pdfLine is a line of the standard output of a process: a block, or the last line, which says how it has ended.
type pdfLine struct {
	Block *domain.Block `json:"block,omitempty"`
	End   *pdfEnd       `json:"end,omitempty"`
}

// pdfEnd is how a process has ended. Without a code, the file was read.
type pdfEnd struct {
	Title string `json:"title,omitempty"`
	Pages int    `json:"pages"`
	Code  string `json:"code,omitempty"` // of an error of ports
	Limit string `json:"limit,omitempty"`
	Max   int64  `json:"max,omitempty"`
	Cause string `json:"cause,omitempty"`
}

// prepare compiles PDFium once, which takes seconds where the cache does not have it.
func (p *pdfProcesses) prepare(ctx context.Context) error {
	p.preparing.Lock()
	defer p.preparing.Unlock()
	if p.prepared {
		return nil
	}
	if _, err := p.run(ctx, nil, pdfRequest{CacheDir: p.cacheDir, Limits: p.limits}, nil); err != nil {
		return err
	}
	p.prepared = true
	return nil
}

// countsTime: the kernel ends a process that has taken the processor time of a file, so that a busy machine makes no file too large.
func (p *pdfProcesses) countsTime() bool { return true }

func (p *pdfProcesses) close() error { return nil }

func (p *pdfProcesses) read(ctx context.Context, file ports.ExtractionSource, out *output) error {
	opened, err := asFile(file)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	defer opened.done()
	end, err := p.run(ctx, opened.File, pdfRequest{CacheDir: p.cacheDir, Size: file.Size, Limits: p.limits}, func(b domain.Block) error {
		for out.page < b.Page {
			if err := out.nextPage(); err != nil {
				return err
			}
		}
		return out.addBlock(b)
	})
	if err != nil {
		return err
	}
	for out.page < end.Pages {
		if err := out.nextPage(); err != nil {
			return err
		}
	}
	out.title(end.Title)
	return nil
}

// waitDelay is how long the output of a process that was killed is waited for.
const waitDelay = 5 * time.Second

// run runs a process and gives its blocks to add.
func (p *pdfProcesses) run(ctx context.Context, file *os.File, request pdfRequest, add func(domain.Block) error) (pdfEnd, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Env = []string{"GOMAXPROCS=2", "GOGC=50"}         // and none of the secrets of this process
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the priority is that of all its threads, and Ctrl-C is not for it
	cmd.WaitDelay = waitDelay
	if file != nil {
		cmd.ExtraFiles = []*os.File{file}
	}
	input, err := cmd.StdinPipe() // open until the end: the process ends where this one has died
	if err != nil {
		return pdfEnd{}, fmt.Errorf("%w: %w", errNotReady, err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return pdfEnd{}, fmt.Errorf("%w: %w", errNotReady, err)
	}
	if err := cmd.Start(); err != nil {
		return pdfEnd{}, fmt.Errorf("%w: %w", errNotReady, err)
	}
	end, err := talk(input, output, request, add)
	if err != nil {
		cancel() // it has nothing more to say
	}
	ended := cmd.Wait()
	if !errors.Is(err, errNotReady) {
		return end, err
	}
	if cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime() >= p.limits.Time && request.Size > 0 {
		return end, tooLarge("seconds", int64(p.limits.Time/time.Second))
	}
	return end, errors.Join(err, ended)
}

// talk sends a process its request and reads what it says until its end.
func talk(input io.Writer, output io.Reader, request pdfRequest, add func(domain.Block) error) (pdfEnd, error) {
	if err := json.NewEncoder(input).Encode(request); err != nil {
		return pdfEnd{}, fmt.Errorf("%w: %w", errNotReady, err)
	}
	lines := json.NewDecoder(output)
	for {
		var line pdfLine
		if err := lines.Decode(&line); err != nil {
			return pdfEnd{}, fmt.Errorf("%w: it ended too early: %w", errNotReady, err)
		}
		if line.End != nil {
			return *line.End, line.End.failure()
		}
		if line.Block == nil || add == nil {
			continue
		}
		if err := add(*line.Block); err != nil {
			return pdfEnd{}, err
		}
	}
}

// failure returns the error of the port; nil where there is none.
func (e pdfEnd) failure() error {
	switch e.Code {
	case "":
		return nil
	case ports.ErrEncryptedFile.Code:
		return ports.ErrEncryptedFile
	case ports.ErrFileHasTooMuch.Code:
		return tooLarge(e.Limit, e.Max)
	case ports.ErrExtractionFailed.Code:
		return ports.ErrExtractionFailed.Because(errors.New(e.Cause))
	default:
		return fmt.Errorf("%w: %s", errNotReady, e.Cause)
	}
}

// endOf returns what a process says of an error.
func endOf(err error) *pdfEnd {
	end := &pdfEnd{Cause: err.Error()}
	if e, ok := errors.AsType[*fail.Error](asFailure(err)); ok {
		end.Code = e.Code
		end.Limit, _ = e.Details["limit"].(string)
		end.Max, _ = e.Details["max"].(int64)
	} else {
		end.Code = "NOT_READY"
	}
	return end
}

// openedFile is a file that a process can read.
type openedFile struct {
	*os.File
	done func()
}

// asFile returns the content of a source as a file, which is copied where it is none.
func asFile(source ports.ExtractionSource) (openedFile, error) {
	if f, ok := source.Content.(*os.File); ok {
		return openedFile{f, func() {}}, nil
	}
	f, err := os.CreateTemp("", "parley-pdf-")
	if err != nil {
		return openedFile{}, err
	}
	opened := openedFile{f, func() { _ = f.Close() }}
	_ = os.Remove(f.Name()) // it is there until it is closed
	if _, err := io.Copy(f, io.NewSectionReader(source.Content, 0, source.Size)); err != nil {
		opened.done()
		return openedFile{}, err
	}
	return opened, nil
}
