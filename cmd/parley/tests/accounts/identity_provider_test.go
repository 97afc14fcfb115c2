package accounts

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

const (
	publicURL = "https://parley.example"
	appURL    = "https://app.example"
	returnTo  = appURL + "/signed-in?tab=1"
)

// person are the claims of somebody at a provider.
type person map[string]any

// provider is a real OpenID provider: oidc-provider from npm, in a process of its own.
type provider struct {
	ID, Issuer, Secret string
	input              io.WriteCloser
	output             *bufio.Scanner
}

// packages installs what the provider is made of, once.
var packages = sync.OnceValue(func() error {
	lock, err := os.ReadFile("oidcprovider/package-lock.json")
	if err != nil {
		return err
	}
	const mark = "oidcprovider/node_modules/.installed-lock"
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(lock) {
		return nil
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
	install.Dir = "oidcprovider"
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return os.WriteFile(mark, lock, 0o600)
})

// startProvider starts a provider with an id in OIDC_PROVIDERS.
func startProvider(t *testing.T, id string, people map[string]person) *provider {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing: a real OpenID provider needs it (Debian: apt-get install nodejs npm)", tool)
		}
	}
	require.NoError(t, packages())
	p := &provider{ID: id, Secret: "the secret of " + id}
	p.Secret = strings.ReplaceAll(p.Secret, " ", "-")
	settings, err := json.Marshal(map[string]any{
		"client": map[string]any{"id": "parley", "secret": p.Secret, "redirect": publicURL + "/v1/auth/oidc/" + id + "/callback"}, "people": people,
	})
	require.NoError(t, err)
	node := exec.CommandContext(t.Context(), "node", filepath.Join("oidcprovider", "provider.mjs"))
	node.Env = append(os.Environ(), "OIDC_PROVIDER="+string(settings))
	p.input, err = node.StdinPipe()
	require.NoError(t, err)
	output, err := node.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())
	t.Cleanup(func() {
		_ = p.input.Close()
		_ = node.Wait()
	})
	p.output = bufio.NewScanner(output)
	require.True(t, p.output.Scan(), "the provider has not started")
	p.Issuer = p.output.Text()
	return p
}

// change changes the claims of a person.
func (p *provider) change(t *testing.T, name string, claims person) {
	t.Helper()
	line, err := json.Marshal(map[string]person{name: claims})
	require.NoError(t, err)
	_, err = p.input.Write(append(line, '\n'))
	require.NoError(t, err)
	require.True(t, p.output.Scan())
}

// setting returns OIDC_PROVIDERS for providers; more are further keys of each.
func setting(t *testing.T, more map[string]any, providers ...*provider) string {
	t.Helper()
	var list []map[string]any
	for _, p := range providers {
		one := map[string]any{"id": p.ID, "name": strings.ToUpper(p.ID), "issuer": p.Issuer, "client_id": "parley", "client_secret": p.Secret}
		maps.Copy(one, more)
		list = append(list, one)
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	return "OIDC_PROVIDERS=" + string(text)
}

// startWithProviders starts the program; more are further settings.
func startWithProviders(t *testing.T, providers string, more ...string) *harness.Program {
	t.Helper()
	return harness.Start(t, append([]string{providers, "PUBLIC_URL=" + publicURL, "CORS_ALLOW_ORIGINS=*," + appURL, "WORKERS=0"}, more...)...)
}

// browser is what a person has: cookies of the program, and of providers.
type browser struct {
	*harness.Caller
	kept map[string]string
	jar  http.CookieJar
}

func newBrowser(t *testing.T, p *harness.Program) *browser {
	t.Helper()
	stays, client := *p, *p.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	stays.Client = &client
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{Caller: stays.Anonymous(), kept: map[string]string{}, jar: jar}
}

// cookies are the header of what the browser has kept.
func (b *browser) cookies() harness.Header {
	var list []string
	for name, value := range b.kept {
		list = append(list, name+"="+value)
	}
	return harness.Header{Name: "Cookie", Value: strings.Join(list, "; ")}
}

// open goes to an address of the program and keeps its cookies.
func (b *browser) open(t *testing.T, path string, headers ...harness.Header) harness.Answer {
	t.Helper()
	a := b.Get(t, path, append(headers, b.cookies())...)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		b.kept[c.Name] = c.Value
	}
	return a
}

// start begins a sign-in and returns the address of the provider.
func (b *browser) start(t *testing.T, provider string, more ...string) *url.URL {
	t.Helper()
	query := url.Values{"return_to": {returnTo}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	a := b.open(t, "/v1/auth/oidc/"+provider+"/start?"+query.Encode())
	require.Equal(t, http.StatusFound, a.Status, a)
	return location(t, a)
}

// at signs somebody in at the provider and returns the address that the browser is sent back to.
func (b *browser) at(t *testing.T, address *url.URL, name string) *url.URL {
	t.Helper()
	query := address.Query()
	query.Set("login_hint", name)
	next := *address
	next.RawQuery = query.Encode()
	client := &http.Client{Jar: b.jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for range 6 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next.String(), nil)
		require.NoError(t, err)
		res, err := client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		to, err := res.Location()
		require.NoError(t, err, "%d %s", res.StatusCode, body)
		if next = *to; strings.HasPrefix(next.String(), publicURL) {
			return &next
		}
	}
	t.Fatal("the provider sends the browser round in circles")
	return nil
}

// back brings the provider's answer to the program.
func (b *browser) back(t *testing.T, address *url.URL) harness.Answer {
	t.Helper()
	return b.open(t, address.RequestURI())
}

// code signs somebody in and returns the code that the application gets.
func (b *browser) code(t *testing.T, p *provider, name string, more ...string) string {
	t.Helper()
	a := b.back(t, b.at(t, b.start(t, p.ID, more...), name))
	require.Equal(t, http.StatusFound, a.Status, a)
	to := location(t, a)
	code := to.Query().Get("code")
	require.Regexp(t, "^sic_[A-Za-z0-9_-]{43}$", code, to)
	require.Equal(t, returnTo, strings.Replace(to.String(), "code="+code+"&", "", 1))
	return code
}

// exchange asks for a session; more are further fields.
func (b *browser) exchange(t *testing.T, code string, more ...string) harness.Answer {
	t.Helper()
	body := map[string]any{"code": code}
	for i := 0; i < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return b.Post(t, "/v1/auth/oidc/exchange", body, b.cookies())
}

// signIn signs somebody in, in a browser of its own.
func signIn(t *testing.T, program *harness.Program, p *provider, name string) (*harness.Caller, harness.Answer) {
	t.Helper()
	b := newBrowser(t, program)
	a := b.exchange(t, b.code(t, p, name))
	c := &harness.Caller{Program: program}
	if a.Status == http.StatusOK {
		c.Take(a)
	}
	return c, a
}

func location(t *testing.T, a harness.Answer) *url.URL {
	t.Helper()
	to, err := url.Parse(a.Header.Get("Location"))
	require.NoError(t, err)
	return to
}
