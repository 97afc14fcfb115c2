// Package emailtext writes the emails of the program in English and Russian, as plain text and as HTML of the same words.
package emailtext

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	"text/template"
	"time"

	"golang.org/x/text/language"

	"github.com/parley/parley/modules/auth/domain"
)

//go:embed texts layout.html
var files embed.FS

// Texts writes emails from templates. It is safe for concurrent use.
type Texts struct {
	texts   *template.Template
	layout  *htmltemplate.Template
	matcher language.Matcher
}

// languages returns the folders of texts, the one for everybody else first.
func languages() []string { return []string{"en", "ru"} }

// New reads the templates. The first line of each is the subject; paragraphs follow, with a blank line between them. A
// paragraph that is a URL alone becomes a link, and an indented one stands out.
func New() (*Texts, error) {
	t := &Texts{texts: template.New("texts").Option("missingkey=error").Funcs(template.FuncMap{
		"name": domain.MailName, "address": domain.MailAddress, "time": formatTime,
	})}
	var tags []language.Tag
	for _, name := range languages() {
		tags = append(tags, language.Make(name))
		entries, err := files.ReadDir("texts/" + name)
		if err != nil {
			return nil, fmt.Errorf("read the texts of emails: %w", err)
		}
		for _, e := range entries {
			text, err := files.ReadFile("texts/" + name + "/" + e.Name())
			if err != nil {
				return nil, fmt.Errorf("read the texts of emails: %w", err)
			}
			if _, err := t.texts.New(name + "/" + strings.TrimSuffix(e.Name(), ".txt")).Parse(string(text)); err != nil {
				return nil, fmt.Errorf("read the text of an email: %w", err)
			}
		}
	}
	t.matcher = language.NewMatcher(tags)
	var err error
	t.layout, err = htmltemplate.ParseFS(files, "layout.html")
	return t, err
}

// formatTime writes a time that is the same for every reader.
func formatTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// paragraph is a part of the HTML of an email.
type paragraph struct {
	Text      string
	Link      bool
	Prominent bool
}

// Write returns an email in the best language for an Accept-Language.
func (t *Texts) Write(kind domain.EmailKind, accepted, to string, facts domain.EmailFacts) (domain.EmailMessage, error) {
	_, best := language.MatchStrings(t.matcher, accepted)
	var text strings.Builder
	if err := t.texts.ExecuteTemplate(&text, languages()[best]+"/"+string(kind), facts); err != nil {
		return domain.EmailMessage{}, fmt.Errorf("write an email: %w", err)
	}
	subject, body, ok := strings.Cut(text.String(), "\n\n")
	if !ok {
		return domain.EmailMessage{}, errors.New("write an email: it has no subject")
	}
	var html bytes.Buffer
	err := t.layout.Execute(&html, struct {
		Language, Subject string
		Paragraphs        []paragraph
	}{languages()[best], subject, paragraphs(body)})
	if err != nil {
		return domain.EmailMessage{}, fmt.Errorf("write the HTML of an email: %w", err)
	}
	return domain.EmailMessage{To: to, Subject: subject, Text: body, HTML: html.String()}, nil
}

func paragraphs(body string) (list []paragraph) {
	for part := range strings.SplitSeq(strings.TrimSpace(body), "\n\n") {
		text := strings.Join(strings.Fields(part), " ")
		list = append(list, paragraph{
			Text: text, Prominent: strings.HasPrefix(part, "    "),
			Link: !strings.Contains(text, " ") && (strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")),
		})
	}
	return list
}
