//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// image is what the last stage of the Dockerfile makes, as far as running it goes.
type image struct {
	copies     [][]string // of --from=…: the sources and, last, where they go
	env        []string
	user       string // uid:gid
	volume     string
	entrypoint []string
	command    []string
	health     []string
}

var (
	continuation = regexp.MustCompile(`\\\n`)
	assignment   = regexp.MustCompile(`\S+=\S+`)
)

// readImage reads the Dockerfile.
func readImage(t *testing.T) image {
	t.Helper()
	raw, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	var i image
	list := func(text string, into *[]string) { require.NoError(t, json.Unmarshal([]byte(text), into), text) }
	for line := range strings.Lines(continuation.ReplaceAllString(string(raw), " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "FROM":
			i = image{}
		case "COPY":
			if from, paths, _ := strings.Cut(rest, " "); strings.HasPrefix(from, "--from=") {
				i.copies = append(i.copies, strings.Fields(paths))
			}
		case "ENV":
			i.env = append(i.env, assignment.FindAllString(rest, -1)...)
		case "USER":
			i.user = rest
		case "VOLUME":
			var volumes []string
			list(rest, &volumes)
			require.Len(t, volumes, 1)
			i.volume = volumes[0]
		case "ENTRYPOINT":
			list(rest, &i.entrypoint)
		case "CMD":
			list(rest, &i.command)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			list(command, &i.health)
		}
	}
	return i
}

// assemble puts the image's files into a folder: the program, what is copied from Debian's packages, the libraries
// of both, and what of Debian itself is used. A machine that has not these packages skips the test.
func (i image) assemble(t *testing.T, root string) {
	t.Helper()
	program, err := builtProgram()
	require.NoError(t, err)
	var programs []string
	for _, paths := range i.copies {
		into := root + paths[len(paths)-1] // with its slash
		if paths[0] == "/out/parley" {
			copyInto(t, program, into)
			continue
		}
		for _, source := range paths[:len(paths)-1] {
			if _, err := os.Stat(source); err != nil {
				t.Skipf("container: the image's PostgreSQL is not on this machine: %v", err)
			}
			copyInto(t, source, into)
			if strings.HasSuffix(paths[len(paths)-1], "/") {
				programs = append(programs, source)
			}
		}
	}
	require.NotEmpty(t, programs)
	for _, file := range append(libraries(t, append(programs, "/bin/sh")), "/bin/sh", "/usr/lib/locale/C.utf8") {
		copyInto(t, file, filepath.Join(root, file))
	}
	uid, gid, _ := strings.Cut(i.user, ":")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/passwd"), fmt.Appendf(nil, "parley:x:%s:%s::%s:/usr/sbin/nologin\n", uid, gid, i.volume), 0o644))
	for _, dir := range []string{i.volume, "tmp", "proc", "dev"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
}

// copyInto copies a file or folder as COPY does: into a path that ends in a slash, else to be that path.
func copyInto(t *testing.T, source, path string) {
	t.Helper()
	dir := path
	if info, err := os.Stat(source); err == nil && !info.IsDir() && !strings.HasSuffix(path, "/") {
		dir = filepath.Dir(path)
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		source += "/."
	}
	out, err := exec.CommandContext(t.Context(), "cp", "-rL", "--preserve=mode", source, path).CombinedOutput()
	require.NoError(t, err, string(out))
}

// libraries gives the shared libraries of programs, by the paths at which the loader looks for them.
func libraries(t *testing.T, programs []string) (paths []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ldd", programs...).Output()
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`(?m)^\t(?:\S+ => )?(/\S+) \(`).FindAllStringSubmatch(string(out), -1) {
		paths = append(paths, match[1])
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
