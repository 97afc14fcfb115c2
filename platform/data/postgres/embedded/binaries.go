package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

const oldestMajor = 15

var (
	versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)
	numberPattern  = regexp.MustCompile(`\d+`)

	errNoBinaries = errors.New("PostgreSQL is not installed: " +
		"install it (Debian: apt-get install postgresql; macOS: brew install postgresql@17), " +
		"set POSTGRES_BIN_DIR to the folder of its initdb and postgres, " +
		"or set DATABASE_URL to a server that runs elsewhere")
)

// binaries are one installed PostgreSQL.
type binaries struct {
	dir   string
	major int
}

// chooseBinaries finds binaries that fit the data folder; where there is no
// data yet, any supported ones.
func chooseBinaries(ctx context.Context, binDir, data string, who account) (binaries, error) {
	major, err := dataMajor(data)
	if err != nil {
		return binaries{}, err
	}
	if major > 0 && major < oldestMajor {
		return binaries{}, tooOld(data, major)
	}
	places := searchPlaces()
	if binDir != "" {
		places = []string{binDir}
		if !holdsBinaries(binDir) {
			return binaries{}, fmt.Errorf("no initdb and postgres in the folder %s that POSTGRES_BIN_DIR names: %w", binDir, errNoBinaries)
		}
	}
	return chooseAmong(ctx, places, major, data, who)
}

func chooseAmong(ctx context.Context, places []string, major int, data string, who account) (binaries, error) {
	var seen []binaries
	var broken error
	for _, dir := range places {
		if !holdsBinaries(dir) {
			continue
		}
		found, err := inspect(ctx, dir, who)
		switch {
		case err != nil:
			broken = errors.Join(broken, err)
		case found.major == major, major == 0 && found.major >= oldestMajor:
			return found, nil
		default:
			seen = append(seen, found)
		}
	}
	switch {
	case len(seen) > 0 && major == 0:
		return binaries{}, fmt.Errorf("the PostgreSQL in %s is version %d, but %d or newer is needed", seen[0].dir, seen[0].major, oldestMajor)
	case len(seen) > 0:
		return binaries{}, wrongMajor(data, major, seen[0])
	case broken != nil:
		return binaries{}, broken
	default:
		return binaries{}, errNoBinaries
	}
}

func tooOld(data string, major int) error {
	return fmt.Errorf("the data folder %s was made by PostgreSQL %d, but %d is the oldest that is supported: move the data to a newer one "+
		"with pg_dump or pg_upgrade, or choose another DATA_DIR; nothing was changed", data, major, oldestMajor)
}

func wrongMajor(data string, major int, found binaries) error {
	return fmt.Errorf("the data folder %s was made by PostgreSQL %d, but the binaries in %s are PostgreSQL %d: "+
		"install PostgreSQL %d (Debian: apt-get install postgresql-%d) or set POSTGRES_BIN_DIR to its bin folder, "+
		"or move the data with parley upgrade-postgres, or choose another DATA_DIR; nothing was changed",
		data, major, found.dir, found.major, major, major)
}

// dataMajor is the major version that made the data folder, or 0 where there
// is no data yet.
func dataMajor(data string) (int, error) {
	path := filepath.Join(data, "PG_VERSION")
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case errors.Is(err, os.ErrPermission):
		return 0, fmt.Errorf("the data folder %s belongs to another user: start parley as that user or choose another DATA_DIR: %w", data, err)
	case err != nil:
		return 0, fmt.Errorf("cannot read the version of the data folder: %w", err)
	}
	major, err := strconv.Atoi(numberPattern.FindString(string(content)))
	if err != nil || major == 0 {
		return 0, fmt.Errorf("%s holds no version: %q", path, content)
	}
	return major, nil
}

// inspect asks the binaries for their version, as the user that will run them.
func inspect(ctx context.Context, dir string, who account) (binaries, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "-V")
	cmd.Dir = "/"
	cmd.Env = childEnvironment()
	cmd.SysProcAttr = who.attributes(noSignal)
	output, err := cmd.Output()
	if err != nil {
		return binaries{}, fmt.Errorf("cannot run %s as user %s: %w", cmd.Path, who.name, err)
	}
	match := versionPattern.FindSubmatch(output)
	if match == nil {
		return binaries{}, fmt.Errorf("%s -V says no version: %q", cmd.Path, output)
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return binaries{}, fmt.Errorf("%s -V says no version: %w", cmd.Path, err)
	}
	return binaries{dir: dir, major: major}, nil
}

func searchPlaces() []string {
	var places []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			places = append(places, dir)
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
	} {
		places = append(places, newestFirst(pattern)...)
	}
	return places
}

// newestFirst lists the folders of a pattern by the number in the name above bin, the
// highest first: 18 before 9.
func newestFirst(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	number := func(path string) int {
		n, _ := strconv.Atoi(numberPattern.FindString(filepath.Base(filepath.Dir(path)))) // no number counts as 0
		return n
	}
	slices.SortStableFunc(found, func(a, b string) int { return number(b) - number(a) })
	return found
}

func holdsBinaries(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}
