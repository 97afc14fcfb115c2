package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecretFile bounds what is read of a file that holds a secret, in bytes.
const maxSecretFile = 64 << 10

// readFiles reads each secret that is not given itself from the file that NAME_FILE names, as Docker and Kubernetes mount
// them; the end of its last line is not part of it.
func readFiles(set map[string]string) error {
	var wrong []error
	for _, v := range Variables() {
		path := set[v.Name+"_FILE"]
		if !v.Secret || path == "" {
			continue
		}
		if set[v.Name] != "" {
			wrong = append(wrong, fmt.Errorf("%s_FILE: should not be set beside %s", v.Name, v.Name))
			continue
		}
		file, err := os.Open(path)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s_FILE: should be a file that can be read: %w", v.Name, err))
			continue
		}
		text, err := io.ReadAll(io.LimitReader(file, maxSecretFile))
		if err = errors.Join(err, file.Close()); err != nil {
			wrong = append(wrong, fmt.Errorf("%s_FILE: should be a file that can be read: %w", v.Name, err))
			continue
		}
		if set[v.Name] = strings.TrimRight(string(text), "\r\n"); set[v.Name] == "" {
			wrong = append(wrong, fmt.Errorf("%s_FILE: should be a file with a secret in it: %s is empty", v.Name, path))
		}
	}
	return errors.Join(wrong...)
}
