package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// readAllowed reads a file with one SPDX identifier a line; # begins a comment.
func readAllowed(path string) (allowed []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if id := strings.TrimSpace(line); id != "" {
			allowed = append(allowed, id)
		}
	}
	return allowed, nil
}

// check returns an error for each license that is not allowed, and for each module without a license that is known.
func check(modules []module, allowed []string) error {
	var problems []error
	for _, m := range modules {
		name := strings.TrimSpace(m.Path + " " + m.Version)
		if len(m.licenses()) == 0 {
			problems = append(problems, fmt.Errorf("licenses: %s has no license that is known", name))
		}
		for _, f := range m.Files {
			if !f.Notice && f.Known < minKnown {
				problems = append(problems, fmt.Errorf("licenses: only %.0f %% of %s of %s is known text: read it", f.Known, f.Name, name))
			}
			for _, id := range f.IDs {
				if !slices.Contains(allowed, id) {
					problems = append(problems, fmt.Errorf("licenses: %s is under %s (its file %s), which .tools/licenses-allowed does not list", name, id, f.Name))
				}
			}
		}
	}
	return errors.Join(problems...)
}
