package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// source is a hand-written or generated Go file of the project; dir is relative to the project's root.
type source struct {
	dir, name string
	test      bool
	imports   []string
	file      *ast.File
	fset      *token.FileSet
}

func sources(t *testing.T) (all []source) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(harness.Root, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && p != harness.Root && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(p) != ".go" {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(harness.Root, filepath.Dir(p))
		if err != nil {
			return err
		}
		s := source{dir: filepath.ToSlash(dir), name: entry.Name(), test: strings.HasSuffix(p, "_test.go"), file: file, fset: fset}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	}))
	require.Greater(t, len(all), 100, "the walk has missed the project")
	return all
}

// within tells whether a path is one of the places, or below one. A star stands for one name.
func within(p string, places ...string) bool {
	return slices.ContainsFunc(places, func(place string) bool {
		want, have := strings.Split(place, "/"), strings.Split(p, "/")
		if len(have) < len(want) {
			return false
		}
		ok, err := path.Match(place, strings.Join(have[:len(want)], "/"))
		return err == nil && ok
	})
}

// allowed says whether a file of dir may import one of our own packages.
func allowed(dir, imported string) bool {
	switch parts := strings.Split(dir, "/"); parts[0] {
	case "cmd":
		return true
	case "api":
		return false
	case "db":
		return within(imported, "db")
	case "platform":
		return within(imported, "platform", "db/platformdb") || imported == "db" && within(dir, "platform/data/postgres", "platform/data/analytics")
	case "modules":
		module := "modules/" + parts[1]
		if len(parts) == 2 { // the face imports none of its own layers
			return within(imported, "platform/request/callctx", "platform/request/fail")
		}
		switch layer := parts[2]; layer {
		case "domain":
			return false
		case "ports":
			return within(imported, module+"/domain", "platform/request/fail", "platform/request/callctx")
		case "usecases":
			return within(imported, module+"/domain", module+"/ports", "platform/request/fail", "platform/request/callctx")
		case "entrypoints":
			shared := module == "modules/conversations" && within(dir, module+"/entrypoints/openai", module+"/entrypoints/aisdk") &&
				imported == module+"/entrypoints/turnstream"
			return imported == module || shared || within(imported, module+"/domain", module+"/ports", module+"/usecases") ||
				within(imported, "platform") && !within(imported, "platform/data/postgres", "platform/testing/pgtest")
		case "adapters":
			face := within(imported, "modules/*") && strings.Count(imported, "/") == 1
			shared := module == "modules/conversations" && within(dir, module+"/adapters/openai", module+"/adapters/anthropic") &&
				within(imported, module+"/adapters/modelstream", module+"/adapters/modelerror", module+"/adapters/modellist", module+"/adapters/modelprompt") ||
				module == "modules/bots" && within(dir, module+"/adapters/httptool", module+"/adapters/mcptool") && imported == module+"/adapters/tooltarget"
			return imported == module || face || shared || within(imported, module+"/domain", module+"/ports") ||
				within(imported, "platform") && !within(imported, "platform/request/gateway") ||
				within(dir, module+"/adapters/postgres") && imported == "db/"+parts[1]+"db"
		}
	}
	return false
}

func TestNoPackageImportsWhatItsLayerMayNotKnow(t *testing.T) {
	t.Parallel()
	modules, err := os.ReadDir(filepath.Join(harness.Root, "modules"))
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if within(s.dir, "modules/*") {
			seen[strings.Split(s.dir, "/")[1]] = true
		}
		for _, imported := range s.imports {
			if own, ok := strings.CutPrefix(imported, harness.Ours); ok && !s.test {
				require.True(t, allowed(s.dir, own), "%s/%s must not import %s", s.dir, s.name, own)
			}
		}
	}
	for _, m := range modules {
		require.True(t, !m.IsDir() || seen[m.Name()], "the walk has missed the module %s", m.Name())
	}
}

func TestTechnologyStaysInItsPlaces(t *testing.T) {
	t.Parallel()
	places := map[string][]string{
		"github.com/labstack/echo":                         {"cmd", "platform/request/gateway", "modules/*/entrypoints/rest", "modules/*/entrypoints/openai", "modules/*/entrypoints/aisdk", "modules/*/entrypoints/widget", "modules/*/entrypoints/pages"},
		"github.com/jackc":                                 {"cmd/parley/tests/harness", "db", "platform/data/postgres", "platform/testing/pgtest", "modules/*/adapters/postgres"},
		"database/sql":                                     {"platform/data/postgres"},
		"github.com/golang-migrate":                        {"platform/data/postgres"},
		"github.com/coreos/go-oidc":                        {"modules/auth/adapters/oidc"},
		"golang.org/x/oauth2":                              {"modules/auth/adapters/oidc", "modules/bots/adapters/tooltarget"},
		"github.com/modelcontextprotocol/go-sdk":           {"modules/bots/adapters/mcptool", "cmd/parley/tests/harness"},
		"github.com/lestrrat-go/jwx":                       {"modules/*/adapters"},
		"github.com/pquerna/otp":                           {"modules/auth/adapters/totp"},
		"github.com/redis":                                 {"platform", "modules/*/adapters", "cmd"},
		"github.com/minio":                                 {"platform", "modules/*/adapters"},
		"github.com/chromedp":                              {"platform/testing/browsertest"},
		"github.com/qdrant":                                {"platform", "modules/*/adapters"},
		"github.com/ClickHouse":                            {"platform", "modules/*/adapters"},
		"github.com/oapi-codegen":                          {"modules/*/entrypoints/rest", "modules/*/entrypoints/openai", "modules/*/entrypoints/aisdk"},
		"net/http":                                         {"cmd", "platform", "modules/*/entrypoints/rest", "modules/*/entrypoints/openai", "modules/*/entrypoints/aisdk", "modules/*/entrypoints/turnstream", "modules/*/entrypoints/widget", "modules/*/entrypoints/pages", "modules/*/adapters"},
		"github.com/urfave/cli":                            {"cmd"},
		"github.com/stretchr/testify":                      {"cmd/parley/tests/harness", "platform/testing/browsertest", "platform/testing/pgtest", "platform/testing/filltest", "platform/testing/mailtest", "platform/testing/redistest", "platform/testing/clickhousetest"},
		"github.com/parley/parley/platform/testing/pgtest": {"cmd/parley/tests/harness"},
	}
	pure := []string{ // what a domain may use: .golangci.yaml says what for
		"github.com/google/uuid", "github.com/go-json-experiment/json", "github.com/agnivade/levenshtein", "github.com/trustelem/zxcvbn",
		"github.com/clipperhouse/uax29", "golang.org/x/net/idna", "golang.org/x/text",
	}
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			for technology, where := range places {
				if !s.test && within(imported, technology) {
					require.True(t, within(s.dir, where...), "%s/%s must not import %s", s.dir, s.name, imported)
				}
			}
			first, _, _ := strings.Cut(imported, "/")
			outside := strings.Contains(first, ".") && !within(imported, pure...)
			require.False(t, outside && !s.test && within(s.dir, "modules/*/domain"), "%s/%s: a domain knows the standard library, uuid and pure functions about text, not %s", s.dir, s.name, imported)
		}
	}
}

func TestTheImportRulesWouldSeeAForbiddenImport(t *testing.T) {
	t.Parallel()
	for _, forbidden := range [][2]string{
		{"modules/bots/domain", "platform/request/fail"},
		{"modules/bots/ports", "modules/bots/usecases"},
		{"modules/bots/usecases", "modules/bots/adapters/postgres"},
		{"modules/bots/usecases", "platform/data/postgres"},
		{"modules/bots/usecases", "modules/auth"},
		{"modules/bots/usecases", "platform/ops/audit"},
		{"modules/bots/entrypoints/rest", "modules/bots/adapters/postgres"},
		{"modules/bots/entrypoints/rest", "db/botsdb"},
		{"modules/bots/adapters/postgres", "modules/bots/entrypoints/rest"},
		{"modules/bots/adapters/postgres", "db/authdb"},
		{"modules/bots/adapters/auth", "modules/auth/domain"},
		{"modules/bots/adapters/auth", "db/botsdb"},
		{"modules/conversations/adapters/openai", "modules/conversations/adapters/anthropic"},
		{"modules/conversations/entrypoints/openai", "modules/conversations/entrypoints/aisdk"},
		{"modules/conversations/entrypoints/rest", "modules/conversations/entrypoints/turnstream"},
		{"modules/conversations/adapters/router", "modules/conversations/adapters/modelstream"},
		{"modules/bots", "modules/bots/domain"},
		{"modules/new/usecases", "modules/bots/domain"},
		{"platform/request/gateway", "modules/auth"},
		{"platform/request/gateway", "db/authdb"},
		{"db/botsdb", "platform/request/fail"},
	} {
		require.False(t, allowed(forbidden[0], forbidden[1]), "%s -> %s", forbidden[0], forbidden[1])
	}
	require.True(t, allowed("modules/new/adapters/auth", "modules/auth"), "another module's face, through an adapter")
}

func TestNoPackageHasABadName(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for name := range strings.SplitSeq(s.dir, "/") {
			require.NotContains(t, []string{"internal", "util", "utils", "helpers", "common", "base", "manager"}, name, s.dir)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			require.False(t, ok && f.Recv == nil && f.Name.Name == "init", "%s/%s has an init()", s.dir, s.name)
		}
	}
}

// style.md has the words to use in their place.
func TestThePrivateWordsOfTheFirstVersionDoNotReturn(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`Patience|^[mM]ost[A-Z]|^(WholeLetter|Letter|SendLetter|ErrNoLetter|strangers|slowDown|telling|admit|[vV]isitors|Meter|heard|patience)$`)
	comment := regexp.MustCompile(`(?i)\b(told|walls?|doors?|patience)\b`)
	require.True(t, name.MatchString("stopPatience") && name.MatchString("mostTargets") && name.MatchString("slowDown") && comment.MatchString("// who was told"))
	for _, s := range sources(t) {
		if ast.IsGenerated(s.file) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				require.False(t, name.MatchString(id.Name), "%s: the name %s", s.fset.Position(id.Pos()), id.Name)
			}
			return true
		})
		if s.test || within(s.dir, "cmd/parley/tests") {
			continue
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				require.False(t, comment.MatchString(c.Text), "%s: %s", s.fset.Position(c.Pos()), c.Text)
			}
		}
	}
}

func TestNoFileAndNoFunctionIsTooLong(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		lines := s.fset.Position(s.file.FileEnd).Line
		require.LessOrEqual(t, lines, 400, "%s/%s", s.dir, s.name)
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
				require.LessOrEqual(t, n, 80, "%s/%s: %s", s.dir, s.name, f.Name.Name)
			}
		}
	}
}

// A struct with more fields carries everything and hides what its users need.
func TestNoStructHasTooManyFields(t *testing.T) {
	t.Parallel()
	const maxFields = 24
	exceptions := map[string]bool{"platform/ops/config Config": false} // the settings
	fields := func(s *ast.StructType) (n int) {
		for _, f := range s.Fields.List {
			n += max(1, len(f.Names)) // an embedded type has no name
		}
		return n
	}
	for _, s := range sources(t) {
		if ast.IsGenerated(s.file) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.StructType); ok && fields(of) > maxFields {
				name := s.dir + " " + spec.Name.Name
				require.Contains(t, exceptions, name, "%s has %d fields, more than %d", s.fset.Position(spec.Pos()), fields(of), maxFields)
				exceptions[name] = true
			}
			return true
		})
	}
	for name, used := range exceptions {
		require.True(t, used, "%s needs no exception", name)
	}
}

func TestTheTopLevelHoldsNothingElse(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(harness.Root)
	require.NoError(t, err)
	may := []string{
		"cmd", "modules", "platform", "db", "api", "go.mod", "go.sum", "Makefile", "compose.yaml", "README.md", "Dockerfile", "LICENSE", "env.example",
		"bin", "dist", "coverage.out", // what make leaves there, which git ignores
	}
	for _, e := range entries {
		require.True(t, strings.HasPrefix(e.Name(), ".") || slices.Contains(may, e.Name()), "%s is not of the tree in product.md", e.Name())
	}
}
