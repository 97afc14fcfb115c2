package main

import (
	"bytes"
	"fmt"
	"strings"
)

// licenseTexts lists the modules with their licenses, then each text once, below the names of the files that have it.
func licenseTexts(modules []module) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Third-party licenses\n\nThe program parley contains these modules. The texts of their licenses follow.\n\n")
	owners := map[string][]string{} // of each text
	var order []string
	for _, m := range modules {
		fmt.Fprintf(&b, "%s %s: %s\n", m.Path, m.Version, strings.Join(m.licenses(), ", "))
		for _, f := range m.Files {
			text := strings.TrimSpace(strings.ReplaceAll(f.Text, "\r\n", "\n"))
			if owners[text] == nil {
				order = append(order, text)
			}
			owners[text] = append(owners[text], m.Path+" "+m.Version+", "+f.Name)
		}
	}
	for _, text := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("-", 80), strings.Join(owners[text], "\n"), text)
	}
	return b.Bytes()
}
