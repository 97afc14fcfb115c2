//go:build linux

package operating

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

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// image is what the last stage of the Dockerfile makes, as far as running it goes.
type image struct {
	copies     []copied // of --from=…
	env        []string
	user       string // uid:gid
	volume     string
	entrypoint []string
	command    []string
	health     []string
}

// copied is a COPY of the Dockerfile from an earlier stage.
type copied struct {
	from    string
	sources []string
	into    string
}

var (
	continuation   = regexp.MustCompile(`\\\n`)
	assignment     = regexp.MustCompile(`\S+=\S+`)
	clientPrograms = regexp.MustCompile(`/postgresql/18/|/postgresql-client-18/`) // for people: parley does not run them
)

// readImage reads the Dockerfile.
func readImage(t *testing.T) image {
	t.Helper()
	raw, err := os.ReadFile("../../../../Dockerfile")
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
				fields := strings.Fields(paths)
				last := len(fields) - 1
				i.copies = append(i.copies, copied{strings.TrimPrefix(from, "--from="), fields[:last], fields[last]})
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

// assemble puts the image's files into a folder: the program and its documentation, what is copied from Debian's
// packages, the libraries of both, and what of Debian itself is used. A machine without these packages skips the test.
func (i image) assemble(t *testing.T, root string) {
	t.Helper()
	var programs []string
	for _, c := range i.copies {
		for _, source := range c.sources {
			if strings.HasPrefix(source, "/out/") {
				copyInto(t, made(t, c.from, source), root+c.into)
				continue
			}
			if _, err := os.Stat(source); err != nil {
				if clientPrograms.MatchString(source) {
					t.Logf("container: left out, as this machine does not have it: %s", source)
					continue
				}
				t.Skipf("container: the image's PostgreSQL is not on this machine: %v", err)
			}
			copyInto(t, source, root+c.into) // with its slash
			if strings.HasSuffix(c.into, "/") {
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

// made gives what a stage of the Dockerfile makes at a path, made here.
func made(t *testing.T, stage, path string) string {
	t.Helper()
	switch stage + ":" + path {
	case "build:/out/parley":
		program, err := harness.BuiltProgram()
		require.NoError(t, err)
		return program
	case "build:/out/doc":
		documents, err := builtDocuments()
		require.NoError(t, err)
		return documents
	case "postgres:/out/lib": // libpq of the clients
		return t.TempDir()
	case "postgres:/out/status.d":
		dir := t.TempDir()
		for _, name := range []string{"postgresql-15", "postgresql-client-15"} {
			status, err := exec.CommandContext(t.Context(), "dpkg-query", "--status", name).Output()
			if err != nil {
				t.Skipf("container: the image's PostgreSQL is not on this machine: %s: %v", name, err)
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), status, 0o644))
		}
		return dir
	}
	require.Fail(t, "the stage "+stage+" makes something that this test does not know: "+path)
	return ""
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
