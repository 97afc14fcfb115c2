package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataOfAnotherMajorIsRefusedAndUntouched(t *testing.T) {
	t.Parallel()
	dir := madeFolder(t)
	bin := installed(t, dir)
	version := filepath.Join(dir, "data", "PG_VERSION")
	for made, parts := range map[string][]string{
		"99": {"made by PostgreSQL 99", fmt.Sprintf("are PostgreSQL %d", bin.major), dir, bin.dir, "POSTGRES_BIN_DIR", "nothing was changed"},
		"14": {"made by PostgreSQL 14", "15 is the oldest", dir, "nothing was changed"},
	} {
		require.NoError(t, os.WriteFile(version, []byte(made+"\n"), 0o600))
		_, err := Start(testContext(t), Options{Dir: dir, BinDir: bin.dir})
		for _, part := range parts {
			require.ErrorContains(t, err, part)
		}
		require.NotContains(t, err.Error(), "\n")
		content, err := os.ReadFile(version)
		require.NoError(t, err)
		require.Equal(t, made+"\n", string(content))
	}
}

func TestMissingBinariesAreNamedWithTheRemedy(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	_, err := Start(testContext(t), Options{Dir: newFolder(t), BinDir: empty})
	for _, part := range []string{empty, "apt-get install postgresql", "brew install postgresql@17", "POSTGRES_BIN_DIR", "DATABASE_URL"} {
		require.ErrorContains(t, err, part)
	}
	_, err = chooseAmong(testContext(t), []string{empty}, 0, "", self())
	require.ErrorIs(t, err, errNoBinaries)
}

func TestBinariesOfTheDatasMajorWinOverNewerOnes(t *testing.T) {
	t.Parallel()
	places := fakeInstallations(t)
	for _, test := range []struct{ data, want int }{{data: 0, want: 18}, {data: 17, want: 17}, {data: 9, want: 9}} {
		found, err := chooseAmong(testContext(t), places, test.data, "data", self())
		require.NoError(t, err)
		require.Equal(t, test.want, found.major)
	}
	_, err := chooseAmong(testContext(t), places, 16, "data", self())
	require.ErrorContains(t, err, "made by PostgreSQL 16")
}

func TestTooOldBinariesAreRefusedForNewData(t *testing.T) {
	t.Parallel()
	places := fakeInstallations(t)
	_, err := chooseAmong(testContext(t), places[2:], 0, "data", self())
	require.ErrorContains(t, err, "is version 9, but 15 or newer is needed")
}

func self() account { return account{name: "me", uid: os.Geteuid(), gid: os.Getegid()} }

// fakeInstallations are PostgreSQL 18, 17 and 9, in the order of a search.
func fakeInstallations(t *testing.T) []string {
	t.Helper()
	base := t.TempDir()
	for _, major := range []string{"9", "18", "17"} {
		bin := filepath.Join(base, major, "bin")
		writeScript(t, filepath.Join(bin, "initdb"), "exit 1")
		writeScript(t, filepath.Join(bin, "postgres"), "echo 'postgres (PostgreSQL) "+major+".3 (Debian)'")
	}
	places := newestFirst(filepath.Join(base, "*", "bin"))
	require.Len(t, places, 3)
	return places
}
