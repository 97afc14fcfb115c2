package config

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Hide replaces every secret of the configuration in a text with ***: the values themselves and the passwords in URLs,
// both as they are and URL-encoded.
func (c *Config) Hide(text string) string {
	var secrets []string
	value := reflect.ValueOf(c).Elem()
	for field := range reflect.TypeFor[Config]().Fields() {
		if field.Tag.Get("secret") != "true" {
			continue
		}
		switch v := value.FieldByIndex(field.Index).Interface().(type) {
		case string:
			secrets = append(secrets, v)
			for _, password := range passwords(v) {
				secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password))
			}
		case []string:
			secrets = append(secrets, v...)
		}
	}
	for _, p := range c.providers {
		secrets = append(secrets, p.ClientSecret, url.QueryEscape(p.ClientSecret))
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the whole before its parts
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

// passwords lists the secrets in a URL: the password, also where it is a parameter as Postgres allows, and the key of a
// Sentry, which stands where others have the user's name.
func passwords(text string) []string {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	query := u.Query()
	list := []string{query.Get("password"), query.Get("sslpassword")}
	if password, ok := u.User.Password(); ok {
		list = append(list, password)
	} else if u.Scheme == "http" || u.Scheme == "https" {
		list = append(list, u.User.Username())
	}
	return list
}
