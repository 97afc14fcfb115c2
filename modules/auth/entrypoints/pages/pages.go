// Package pages serves the pages that links open, those in emails and the one that a first start prints. They call the API as
// any client does.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/labstack/echo/v5"
	"golang.org/x/text/language"
)

//go:embed page.html page.js page.css
var files embed.FS

// texts are what a page says.
type texts struct {
	Title, Explanation, Button, Done, NoLink string
	Half                                     string // what is said where something is still to be done elsewhere
	Email, Workspace, Password               string // labels of fields; empty: there is no such field
	Known                                    bool   // the password is that of the account, not a new one
}

// page is one page in one language. Console is the text of the link to the web console.
type page struct {
	Language, Name, Console string
	texts
}

// toConsole returns the text of the link to the web console in each language.
func toConsole() map[string]string {
	return map[string]string{"en": "To the console", "ru": "В консоль"}
}

const (
	openedByEmail   = "This page is opened by the link in an email."
	openedByEmailRu = "Эту страницу открывает ссылка из письма."
)

// contents returns the texts of each page in each language.
func contents() map[string]map[string]texts {
	return map[string]map[string]texts{
		"reset-password": {
			"en": {
				Title: "Set another password", Explanation: "All sessions of the account end.", Password: "New password, at least 8 characters",
				Button: "Set the password", Done: "The password is set. Log in with it.", NoLink: openedByEmail,
			},
			"ru": {
				Title: "Новый пароль", Explanation: "Все сеансы учётной записи завершатся.", Password: "Новый пароль, не меньше 8 символов",
				Button: "Задать пароль", Done: "Пароль задан. Войдите с ним.", NoLink: openedByEmailRu,
			},
		},
		"verify-email": {
			"en": {
				Title: "Confirm your address", Explanation: "Confirm that the address of your account is yours, with the password that you gave the account. Do it only if you made the account that the email describes.",
				Password: "Password of the account", Known: true,
				Button: "It is mine", Done: "The address is confirmed.", NoLink: openedByEmail,
			},
			"ru": {
				Title: "Подтвердите адрес", Explanation: "Подтвердите, что адрес учётной записи ваш, паролем, который вы ей дали. Делайте это, только если сами создали запись, описанную в письме.",
				Password: "Пароль учётной записи", Known: true,
				Button: "Он мой", Done: "Адрес подтверждён.", NoLink: openedByEmailRu,
			},
		},
		"change-email": {
			"en": {
				Title: "Change the address", Explanation: "Agree to another address of your account. When both addresses have agreed, all its sessions end.", Password: "Password of the account", Known: true,
				Button: "I agree", Done: "The account has its new address. Log in with it.", Half: "Noted. Now open the link in the email to the other address.", NoLink: openedByEmail,
			},
			"ru": {
				Title: "Смена адреса", Explanation: "Согласитесь на другой адрес своей учётной записи. Когда согласятся оба адреса, все её сеансы завершатся.", Password: "Пароль учётной записи", Known: true,
				Button: "Согласен", Done: "У учётной записи новый адрес. Войдите с ним.", Half: "Принято. Теперь откройте ссылку в письме на другой адрес.", NoLink: openedByEmailRu,
			},
		},
		"set-up": {
			"en": {
				Title: "Set up Parley", Explanation: "Make the first account and its workspace. The link works once.", Email: "Email address", Workspace: "Name of the workspace",
				Password: "Password, at least 8 characters", Button: "Make the account", Done: "The account is made. Log in with it.", NoLink: "This page is opened by the link that the server prints at its first start.",
			},
			"ru": {
				Title: "Настройка Parley", Explanation: "Создайте первую учётную запись и её рабочее пространство. Ссылка работает один раз.", Email: "Адрес электронной почты", Workspace: "Название рабочего пространства",
				Password: "Пароль, не меньше 8 символов", Button: "Создать", Done: "Учётная запись создана. Войдите с ней.", NoLink: "Эту страницу открывает ссылка, которую сервер печатает при первом запуске.",
			},
		},
	}
}

// policy lets a page load its own script and style and call the API, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Pages are the pages, with their script and style. The zero value has none.
type Pages struct {
	html  map[string][2][]byte // by name, in each language
	files map[string][]byte
}

// languages returns the languages of the pages, the one for everybody else first.
func languages() [2]language.Tag { return [2]language.Tag{language.English, language.Russian} }

// New makes the pages.
func New() (Pages, error) {
	layout, err := template.ParseFS(files, "page.html")
	if err != nil {
		return Pages{}, fmt.Errorf("read the page: %w", err)
	}
	p := Pages{html: map[string][2][]byte{}, files: map[string][]byte{}}
	for name, of := range contents() {
		var rendered [2][]byte
		for i, tag := range languages() {
			var html bytes.Buffer
			if err := layout.Execute(&html, page{tag.String(), name, toConsole()[tag.String()], of[tag.String()]}); err != nil {
				return Pages{}, fmt.Errorf("make the page %s: %w", name, err)
			}
			rendered[i] = html.Bytes()
		}
		p.html[name] = rendered
	}
	for _, name := range []string{"page.js", "page.css"} {
		if p.files[name], err = files.ReadFile(name); err != nil {
			return Pages{}, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return p, nil
}

// Mount adds the routes.
func (p Pages) Mount(e *echo.Echo) {
	all := languages()
	matcher := language.NewMatcher(all[:])
	for name, rendered := range p.html {
		e.GET("/account/"+name, func(c *echo.Context) error {
			_, best := language.MatchStrings(matcher, c.Request().Header.Get("Accept-Language"))
			return serve(c, "text/html; charset=utf-8", rendered[best])
		})
	}
	for name, kind := range map[string]string{"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"} {
		e.GET("/account/"+name, func(c *echo.Context) error { return serve(c, kind, p.files[name]) })
	}
}

func serve(c *echo.Context, kind string, content []byte) error {
	c.Response().Header().Set("Content-Security-Policy", policy)
	return c.Blob(http.StatusOK, kind, content)
}
