package turns

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/platform/testing/browsertest"
)

// startShop starts the shop of the guide: a page with the widget, under a strict policy, and the call that makes tokens
// for it. It returns its address.
func startShop(t *testing.T, p *harness.Program, key, bot string) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed (package nodejs)")
	}
	guide, err := os.ReadFile("../../../../api/guides/widget.md")
	require.NoError(t, err)
	source := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(guide)
	require.NotNil(t, source, "the guide has no shop")
	file := filepath.Join(t.TempDir(), "shop.mjs")
	require.NoError(t, os.WriteFile(file, source[1], 0o600))
	_, port, err := net.SplitHostPort(harness.FreeAddress(t))
	require.NoError(t, err)
	url := "http://localhost:" + port
	shop := exec.CommandContext(t.Context(), "node", file)
	shop.Env = append(os.Environ(), "PARLEY_URL="+p.URL, "EMBED_KEY="+key, "BOT_ID="+bot, "PORT="+port)
	shop.Stderr = os.Stderr
	require.NoError(t, shop.Start())
	t.Cleanup(func() { _ = shop.Process.Kill(); _ = shop.Wait() })
	require.Eventually(t, func() bool {
		res, err := http.Get(url)
		return err == nil && res.Body.Close() == nil
	}, time.Minute, 50*time.Millisecond)
	return url
}

// inWidget is an expression within the widget; $ finds one element, all finds several.
func inWidget(script string) string {
	return `(() => { const root = document.querySelector("parley-chat")?.shadowRoot; if (!root) return false;
		const $ = (s) => root.querySelector(s), all = (s) => [...root.querySelectorAll(s)], text = (s) => all(s).map((e) => e.textContent).join("|");
		return ` + script + `; })()`
}

func TestTheWidgetChatsInABrowser(t *testing.T) {
	t.Parallel()
	for name, size := range map[string][2]int{"a desk": {1280, 900}, "a phone": {390, 844}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.Start(t, "ECHO_DELAY=30ms")
			ada := p.Register(t)
			bot := ada.NewBot(t)
			shop := startShop(t, p, ada.Key(t, "embed").Token, bot)
			page := browsertest.Open(t, size[0], size[1])
			page.Open(t, shop, inWidget(`!!$(".launch")`))
			page.Do(t, press("Tab"), press("Enter")) // the keyboard is enough
			page.Until(t, inWidget(`$(".panel").checkVisibility() && root.activeElement === $("textarea") && $(".launch").getAttribute("aria-expanded") === "true"`))
			page.Until(t, `document.documentElement.scrollWidth <= innerWidth`)

			say(t, page, "Hello **there**")
			page.Until(t, inWidget(`text(".assistant .text") === "How can I help?|Echo: Hello there" && $(".assistant strong").textContent === "there" && text(".user .text") === "Hello **there**"`))
			page.Until(t, inWidget(`$("[role=status]").textContent.includes("Echo: Hello")`))

			// a reload in the middle of an answer goes on with it, and the message is there once
			words := strings.TrimSpace(strings.Repeat("word ", 60))
			say(t, page, words)
			page.Until(t, inWidget(`all(".assistant .text").at(-1).textContent.includes("word")`))
			page.Open(t, shop, inWidget(`$(".panel").checkVisibility()`))
			page.Until(t, inWidget(`all(".user").length === 2 && all(".assistant").length === 2 && all(".assistant .text")[1].textContent === `+strconv.Quote("Echo: "+words)))

			rateInWidget(t, page)
			stopInWidget(t, page, words)

			page.Do(t, press("Escape"))
			page.Until(t, inWidget(`!$(".panel").checkVisibility() && root.activeElement === $(".launch")`))
			require.Empty(t, page.Complaints(), "nothing of the widget breaks the policy of the page")

			threads := ada.Get(t, "/v1/conversations/threads").Items()
			require.Len(t, threads, 1)
			roles := []string{}
			for _, m := range ada.Get(t, "/v1/conversations/threads/"+threads[0]["id"].(string)+"/messages").Items() {
				roles = append(roles, m["role"].(string))
			}
			require.Equal(t, "user assistant user assistant user assistant", strings.Join(roles, " "))
		})
	}
}

// press presses a key and lets it go.
func press(key string) chromedp.Action[chromedp.Void] {
	return chromedp.KeyEvent(map[string]string{"Tab": "\t", "Enter": "\r", "Escape": "\u001b"}[key])
}

// say types a message and sends it by Enter.
func say(t *testing.T, page *browsertest.Page, text string) {
	t.Helper()
	page.Until(t, inWidget(`$("form button").title === "Send" && ($("textarea").focus(), $("textarea").value = `+strconv.Quote(text)+`, true)`))
	page.Do(t, press("Enter"))
}

func rateInWidget(t *testing.T, page *browsertest.Page) {
	t.Helper()
	page.Until(t, inWidget(`!!$('.assistant [aria-label="Good answer"]') && ($('.assistant [aria-label="Good answer"]').click(), true)`))
	page.Until(t, inWidget(`$('.assistant [aria-label="Good answer"]').getAttribute("aria-pressed") === "true"`))
	page.Open(t, page.Text(t, "location.href"), inWidget(`$('.assistant [aria-label="Good answer"]')?.getAttribute("aria-pressed") === "true"`))
}

func stopInWidget(t *testing.T, page *browsertest.Page, words string) {
	t.Helper()
	say(t, page, strings.Repeat(words+" ", 20))
	page.Until(t, inWidget(`all(".assistant").length === 3 && all(".assistant .text")[2].textContent.includes("word") && ($("form button").click(), true)`))
	page.Until(t, inWidget(`text(".note") === "Stopped." && $("form button").title === "Send"`))
}
