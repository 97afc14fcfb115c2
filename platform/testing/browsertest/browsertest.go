// Package browsertest opens pages in a real Chromium for tests.
package browsertest

import (
	"context"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Page is a window of a browser.
type Page struct {
	ctx      context.Context
	mu       sync.Mutex
	messages []string
}

// Open opens a window of a size in pixels. It skips the test where there is no Chromium.
func Open(t *testing.T, width, height int) *Page {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("chromium is not installed (package chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(width, height),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	allocated, release := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(release)
	ctx, stop := chromedp.NewContext(allocated)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	p := &Page{ctx: ctx}
	p.Do(t, chromedp.EmulateViewport(int64(width), int64(height)))
	require.NoError(t, chromedp.Listen(ctx, p.hear))
	return p
}

// hear notes what the console complains of.
func (p *Page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded: // what the network and the policy refused is here
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.messages = append(p.messages, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		p.messages = append(p.messages, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			for _, argument := range e.Args {
				p.messages = append(p.messages, string(argument.Value)+argument.Description)
			}
		}
	}
}

// Complaints are what the console complained of so far: errors, exceptions, and what the content security policy refused.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.messages)
}

// Do runs actions, which must succeed.
func (p *Page) Do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, actions...))
}

// Open loads an address and waits until a script is true on it.
func (p *Page) Open(t *testing.T, url, script string) {
	t.Helper()
	p.Do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(url))
	p.Until(t, script)
}

// Until waits until a script is true. chromedp's own waiting builds code from text, which a content security policy refuses.
func (p *Page) Until(t *testing.T, script string) {
	t.Helper()
	require.Eventually(t, func() bool {
		yes, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](script))
		return err == nil && yes
	}, time.Minute, 50*time.Millisecond, script)
}

// Text is what a script returns.
func (p *Page) Text(t *testing.T, script string) string {
	t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](script))
	require.NoError(t, err)
	return text
}
