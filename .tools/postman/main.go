// Command postman writes a Postman collection of the document on standard input, in the order of plan.yaml, so that every request
// can be run after those before it. The generator that Postman publishes makes requests in the order of the paths, with
// placeholders for ids and headers, which do not run.
//
//	parley openapi | postman >api/postman.json
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed plan.yaml
var planFile []byte

// plan says in which order requests run and what they take from each other.
type plan struct {
	Variables map[string]string
	Folders   []folder
}

type folder struct {
	Name, Tag string
	Steps     []step
}

type step struct {
	Call   string
	Body   any
	Path   map[string]string
	Status []int
	Save   map[string]string
	Before string
	// Any says that any answer but a server error will do, as the plan does not name the call.
	Any bool `yaml:"-"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "postman:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	raw, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var doc document
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	var p plan
	if err := yaml.Unmarshal(planFile, &p); err != nil {
		return fmt.Errorf("read plan.yaml: %w", err)
	}
	made, err := newCollection(doc, p)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(made)
}

// newCollection makes the collection of all calls of the document.
func newCollection(doc document, p plan) (collection, error) {
	calls, order := doc.calls()
	planned := map[string]bool{}
	for _, f := range p.Folders {
		for _, s := range f.Steps {
			planned[s.Call] = true
		}
	}
	c := collection{Info: info{
		Name: doc.Info.Title, Version: doc.Info.Version, Description: "Run the whole collection from top to bottom: each request takes what it needs from those before it. Set `baseUrl` to the address of the server.",
		Schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
	}, Auth: bearer("{{access_token}}")}
	p.Variables["baseUrl"] = "http://127.0.0.1:8080"
	for _, name := range slices.Sorted(maps.Keys(p.Variables)) {
		c.Variable = append(c.Variable, variable{name, p.Variables[name]})
	}
	for _, f := range withAllTags(p.Folders, calls, order) {
		steps := f.Steps
		for _, id := range order {
			if f.Tag != "" && calls[id].tag == f.Tag && !planned[id] {
				steps = append(steps, step{Call: id, Any: true})
			}
		}
		group := item{Name: f.Name}
		for _, s := range steps {
			op, ok := calls[s.Call]
			if !ok {
				return c, fmt.Errorf("plan.yaml names the call %s, which the document does not have", s.Call)
			}
			group.Item = append(group.Item, newItem(op, s))
		}
		c.Item = append(c.Item, group)
	}
	return c, nil
}

// withAllTags adds a folder for each tag that the plan does not name, before the last folder, which ends the session.
func withAllTags(folders []folder, calls map[string]call, order []string) []folder {
	for _, id := range order {
		tag := calls[id].tag
		if !slices.ContainsFunc(folders, func(f folder) bool { return f.Tag == tag }) {
			folders = slices.Insert(folders, len(folders)-1, folder{Name: strings.ToUpper(tag[:1]) + tag[1:], Tag: tag})
		}
	}
	return folders
}

// newItem makes the request of a step.
func newItem(op call, s step) item {
	r := &request{Method: strings.ToUpper(op.method), Description: op.Description, URL: newURL(op, s)}
	if op.Security != nil && len(*op.Security) == 0 {
		r.Auth = &auth{Type: "noauth"}
	}
	it := item{Name: op.Summary, Request: r}
	var before []string
	if s.Before != "" {
		before = append(before, s.Before)
	}
	if body := newBody(op, s); body != nil {
		r.Body = body.content
		r.Header = append(r.Header, header{"Content-Type", body.kind})
	}
	if op.Signed {
		r.Header = append(r.Header, header{"webhook-id", "{{webhook_id}}"}, header{"webhook-timestamp", "{{webhook_timestamp}}"}, header{"webhook-signature", "{{webhook_signature}}"})
		before = append(before, sign...)
	}
	if op.streamOnly() {
		r.Header = append(r.Header, header{"Accept", "text/event-stream"})
	}
	if before != nil {
		it.Event = append(it.Event, event{"prerequest", script{"text/javascript", before}})
	}
	it.Event = append(it.Event, event{"test", script{"text/javascript", tests(op, s)}})
	return it
}

// sign computes the signature of Standard Webhooks over the body of the request.
var sign = []string{
	"const hashes = require('crypto-js');",
	"const id = pm.variables.replaceIn('{{$guid}}'), timestamp = String(Math.floor(Date.now() / 1000));",
	"const key = hashes.enc.Base64.parse(pm.collectionVariables.get('endpoint_secret').replace('whsec_', ''));",
	"const signature = hashes.HmacSHA256(`${id}.${timestamp}.${pm.request.body.raw}`, key).toString(hashes.enc.Base64);",
	"pm.collectionVariables.set('webhook_id', id);",
	"pm.collectionVariables.set('webhook_timestamp', timestamp);",
	"pm.collectionVariables.set('webhook_signature', `v1,${signature}`);",
}

// tests returns the script that checks the status and keeps what later requests need.
func tests(op call, s step) []string {
	if s.Any {
		return []string{"pm.test('is no server error', () => pm.expect(pm.response.code).to.be.below(500));"}
	}
	status := s.Status
	if status == nil {
		status = []int{op.success()}
	}
	want, _ := json.Marshal(status)
	lines := []string{fmt.Sprintf("pm.test('answers %s', () => pm.expect(pm.response.code, pm.response.text()).to.be.oneOf(%s));", strings.Trim(string(want), "[]"), want)}
	if len(s.Save) > 0 {
		lines = append(lines, "const body = pm.response.json();")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Save)) {
		var path strings.Builder
		for part := range strings.SplitSeq(s.Save[name], ".") {
			if strings.Trim(part, "0123456789") == "" {
				path.WriteString("[" + part + "]")
			} else {
				path.WriteString("." + part)
			}
		}
		lines = append(lines, fmt.Sprintf("pm.collectionVariables.set('%s', body%s);", name, path.String()))
	}
	return lines
}

// newURL makes the address of a request. Query parameters that need not be given are there, switched off.
func newURL(op call, s step) address {
	var a address
	a.Host = []string{"{{baseUrl}}"}
	a.Raw = "{{baseUrl}}"
	for part := range strings.SplitSeq(strings.TrimPrefix(op.path, "/"), "/") {
		if name, isParameter := strings.CutPrefix(part, "{"); isParameter {
			name = strings.TrimSuffix(name, "}")
			if other, ok := s.Path[name]; ok {
				name = other
			}
			part = "{{" + name + "}}"
		}
		a.Path = append(a.Path, part)
		a.Raw += "/" + part
	}
	for _, p := range op.Parameters {
		if p.In == "query" {
			a.Query = append(a.Query, query{Key: p.Name, Value: p.example(), Description: p.Description, Disabled: !p.Required})
		}
	}
	return a
}

type typed struct {
	kind    string
	content *body
}

// boundary is that of the upload, which Postman sends as it stands here so that the collection needs no file beside it.
const boundary = "parley-upload"

// newBody makes the body of a request; nil if it has none.
func newBody(op call, s step) *typed {
	if op.RequestBody == nil {
		return nil
	}
	if _, upload := op.RequestBody.Content["multipart/form-data"]; upload {
		lines := []string{"--" + boundary, `Content-Disposition: form-data; name="file"; filename="orders.txt"`, "Content-Type: text/plain", "", "Orders are sent within two days.", "--" + boundary + "--", ""}
		return &typed{"multipart/form-data; boundary=" + boundary, &body{Mode: "raw", Raw: strings.Join(lines, "\r\n")}}
	}
	value := s.Body
	if value == nil {
		value = op.RequestBody.Content["application/json"].Example
	}
	if value == nil {
		return nil
	}
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return nil
	}
	return &typed{"application/json", &body{Mode: "raw", Raw: string(raw), Options: map[string]any{"raw": map[string]string{"language": "json"}}}}
}
