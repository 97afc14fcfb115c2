package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// builtProgram builds the program as the image does, once for all tests.
var builtProgram = sync.OnceValues(func() (string, error) {
	return build("parley", ".")
})

// build builds the program in a folder and gives its path.
func build(name, folder string) (string, error) {
	dir, err := os.MkdirTemp("", "parley-binary-")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, ".")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}
