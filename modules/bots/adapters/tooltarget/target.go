// Package tooltarget has what calls of tools share, however they are made: the client, its bounds, credentials, and texts for models.
package tooltarget

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

// Client calls targets that workspaces choose. It is safe for concurrent use.
type Client struct {
	HTTP   *http.Client      // that of webhook.NewStreamClient: it connects to allowed addresses only, and follows no redirects
	Guard  *resilience.Group // a target is a host, a source is a workspace
	Slots  *resilience.Slots // of the calls of this process
	Tokens *Tokens
}

const slotWait = 2 * time.Second // for a slot

// Guarded calls a URL by ask, within a timeout and the bounds of all calls. The error of ask says to the guard how the target is. It returns
// why ask was not called; "" if it was.
func (c Client) Guarded(ctx context.Context, url string, timeout time.Duration, ask func(ctx context.Context) error) (refused string) {
	workspace := callctx.From(ctx).Principal.WorkspaceID
	leave, err := c.Slots.Wait(ctx, slotWait, workspace)
	if errors.Is(err, resilience.ErrNoSlot) {
		return "it was not called: too many calls are running"
	}
	if err != nil {
		return "it was not called: the call was ended before"
	}
	defer leave()
	asked := false
	err = c.Guard.For(workspace.String()).Do(ctx, target(url), func(ctx context.Context) error {
		asked = true
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return ask(ctx)
	})
	wait, isRefused := resilience.IsRefused(err)
	switch {
	case asked:
		return ""
	case isRefused:
		return fmt.Sprintf("it was not called, as it has failed too often just now or too many calls are running: it can be called again in %d seconds", 1+int(wait.Seconds()))
	}
	return "it was not called: the call was ended before"
}

// target returns the host and the port of a URL.
func target(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}
