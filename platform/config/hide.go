package config

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Hide takes every secret of the configuration out of a text that is shown to people: the values themselves and the
// passwords in URLs, as they are and as a URL has them.
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
			if u, err := url.Parse(v); err == nil && u.User != nil {
				password, _ := u.User.Password()
				secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password))
			}
		case []string:
			secrets = append(secrets, v...)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the whole before its parts
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}
