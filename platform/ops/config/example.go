package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Variable describes one environment variable for env.example and --help.
type Variable struct {
	Name       string
	Default    string // where it is unset or empty
	Production string // the same with APP_ENV=production; empty: Default there, too
	Want       string
	Help       string
	Secret     bool
}

// Variables returns all variables, in the order of Config.
func Variables() []Variable {
	var all []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		if tag := field.Tag; tag.Get("env") != "" {
			all = append(all, Variable{
				Name: tag.Get("env"), Default: tag.Get("envDefault"), Production: tag.Get("production"), Want: tag.Get("want"),
				Help: tag.Get("help"), Secret: tag.Get("secret") == "true",
			})
		}
	}
	return all
}

// Example returns the text of env.example. A variable whose default differs in production has no value there, so that a
// copy of the file has the defaults of its APP_ENV.
func Example() string {
	var b strings.Builder
	b.WriteString("# Every variable that parley reads, with its default. Made by `make generate`; edit platform/ops/config/config.go.\n")
	for _, v := range Variables() {
		help, value := v.Help, v.Default
		if v.Production != "" {
			help, value = fmt.Sprintf("%s; empty: %s, in production %s", help, v.Default, v.Production), ""
		}
		if v.Secret {
			help += "; or " + v.Name + "_FILE: a file that holds it"
		}
		fmt.Fprintf(&b, "\n# %s (%s)\n%s=%s\n", help, v.Want, v.Name, value)
	}
	return b.String()
}
