package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Variable is one environment variable, as env.example and --help tell of it.
type Variable struct {
	Name, Default, Want, Help string
	Secret                    bool
}

// Variables lists them all, in the order of the configuration.
func Variables() []Variable {
	var all []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		if tag := field.Tag; tag.Get("env") != "" {
			all = append(all, Variable{
				Name: tag.Get("env"), Default: tag.Get("envDefault"), Want: tag.Get("want"), Help: tag.Get("help"),
				Secret: tag.Get("secret") == "true",
			})
		}
	}
	return all
}

// Example is the text of env.example.
func Example() string {
	var b strings.Builder
	b.WriteString("# Every variable that parley reads, with its default. Made by `make generate`; edit platform/config/config.go.\n")
	for _, v := range Variables() {
		fmt.Fprintf(&b, "\n# %s (%s)\n%s=%s\n", v.Help, v.Want, v.Name, v.Default)
	}
	return b.String()
}
