package operating

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

// builtDependencies builds .tools/dependencies, which make licenses and make sbom run, once for all tests.
var builtDependencies = sync.OnceValues(func() (string, error) {
	return harness.Build("dependencies", "../../../../.tools/dependencies")
})

// builtDocuments makes the files that the image has of what is in the program, once for all tests, and gives their folder.
var builtDocuments = sync.OnceValues(func() (string, error) {
	binary, err := builtDependencies()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "parley-documents-")
	if err != nil {
		return "", err
	}
	harness.AtEnd = append(harness.AtEnd, func() { os.RemoveAll(dir) })
	list := exec.Command(binary, "-root", "../../../..", "-version", "v1.2.3+x",
		"-licenses", filepath.Join(dir, "third-party-licenses.txt"), "-sbom", filepath.Join(dir, "sbom.cdx.json"))
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := list.CombinedOutput(); err != nil {
		return "", fmt.Errorf("dependencies: %w\n%s", err, out)
	}
	license, err := os.ReadFile("../../../../LICENSE")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "LICENSE"), license, 0o644)
})

// listDependencies runs the tool and gives its exit code and what it prints.
func listDependencies(t *testing.T, arguments ...string) (code int, printed string) {
	t.Helper()
	binary, err := builtDependencies()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, arguments...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	require.NoError(t, err, string(out))
	return 0, string(out)
}

// sbom is the part of a CycloneDX document that is looked at here.
type sbom struct {
	BomFormat, SpecVersion string
	Metadata               struct {
		Component struct{ Name, Version string }
	}
	Components []struct {
		Name, Version, Purl string
		Hashes              []struct{ Alg, Content string }
		Licenses            []struct {
			License    struct{ ID string }
			Expression string
		}
	}
}

func TestTheSBOMListsEachModuleInTheProgramWithItsLicense(t *testing.T) {
	t.Parallel()
	dir, err := builtDocuments()
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(dir, "sbom.cdx.json"))
	require.NoError(t, err)
	var bom sbom
	require.NoError(t, json.Unmarshal(raw, &bom))
	require.Equal(t, "CycloneDX", bom.BomFormat)
	require.Equal(t, "parley", bom.Metadata.Component.Name)
	require.Equal(t, "v1.2.3+x", bom.Metadata.Component.Version)

	program, err := harness.BuiltProgram()
	require.NoError(t, err)
	info, err := buildinfo.ReadFile(program)
	require.NoError(t, err)
	want, got := map[string]string{"stdlib": strings.TrimPrefix(info.GoVersion, "go")}, map[string]string{}
	for _, module := range info.Deps {
		want[module.Path] = module.Version
	}
	for _, c := range bom.Components {
		got[c.Name] = c.Version
		require.Len(t, c.Licenses, 1, c.Name)
		require.NotEmpty(t, c.Licenses[0].License.ID+c.Licenses[0].Expression, c.Name)
		require.True(t, strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@"), c.Purl)
		require.True(t, c.Name == "stdlib" || len(c.Hashes) == 1, c.Name)
	}
	require.Equal(t, want, got)
}

func TestTheTextsOfAllLicensesArePassedOn(t *testing.T) {
	t.Parallel()
	dir, err := builtDocuments()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "third-party-licenses.txt"))
	require.NoError(t, err)
	owners := strings.Join(regexp.MustCompile(`\n\S+ v\S+, \S+`).FindAllString(string(text), -1), "")
	program, err := harness.BuiltProgram()
	require.NoError(t, err)
	info, err := buildinfo.ReadFile(program)
	require.NoError(t, err)
	for _, module := range info.Deps {
		name := []byte("\n" + module.Path + " " + module.Version)
		require.True(t, bytes.Contains(text, append(name, ": "...)), "%s is not in the list", module.Path)
		require.Regexp(t, regexp.QuoteMeta(string(name))+`, (?i)(\S+/)?(licen.e|copying)`, owners, "%s has no text", module.Path)
	}
	require.Equal(t, 1, bytes.Count(text, []byte("\nAdditional IP Rights Grant (Patents)\n")), "a text is there once for all modules that have it")
}

func TestADependencyWhoseLicenseIsNotAllowedFailsTheCheck(t *testing.T) {
	t.Parallel()
	all, err := os.ReadFile("../../../../.tools/licenses-allowed")
	require.NoError(t, err)
	fewer := filepath.Join(t.TempDir(), "allowed")
	require.NoError(t, os.WriteFile(fewer, bytes.Replace(all, []byte("\nApache-2.0\n"), []byte("\n# Apache-2.0\n"), 1), 0o600))
	code, printed := listDependencies(t, "-root", "../../../..", "-allowed", fewer)
	require.Equal(t, 1, code, printed)
	require.Regexp(t, `(?m)^licenses: github.com/qdrant/go-client v\S+ is under Apache-2.0 \(its file LICENSE\), which .tools/licenses-allowed does not list$`, printed)
	require.NotContains(t, printed, "MIT")
}

func TestADependencyWithoutALicenseThatIsKnownFailsTheCheck(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	license, err := os.ReadFile("../../../../LICENSE")
	require.NoError(t, err)
	files := map[string]string{
		"go.mod":             "module example.com/root\n\ngo 1.26\n",
		"cmd/parley/main.go": "package main\n\nimport (\n",
		"allowed":            "MIT\n",

		"platform/request/docs/site/LICENSE":                  string(license),
		"api/console/dist/LICENSE":                            string(license),
		"modules/knowledge/adapters/extract/licenses/LICENSE": string(license),
	}
	for name, text := range map[string]string{
		"bare":   "",
		"strict": "Copyright 2026 Somebody.\n\nAll rights reserved. You may read this and do nothing else with it, whatever the reason, unless we allow it.\n",
		"copyleft": "This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License " +
			"as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.\n",
	} {
		path := "example.com/" + name
		files["go.mod"] += "\nrequire " + path + " v1.0.0\n\nreplace " + path + " v1.0.0 => ./" + name + "\n"
		files["cmd/parley/main.go"] += "\t_ \"" + path + "\"\n"
		files[name+"/go.mod"] = "module " + path + "\n\ngo 1.26\n"
		files[name+"/x.go"] = "package x\n"
		if text != "" {
			files[name+"/LICENSE.txt"] = text
		}
	}
	files["cmd/parley/main.go"] += ")\n\nfunc main() {}\n"
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	code, printed := listDependencies(t, "-root", root, "-allowed", filepath.Join(root, "allowed"))
	require.Equal(t, 1, code, printed)
	require.Regexp(t, `(?m)^licenses: example.com/bare\S* has no license that is known$`, printed)
	require.Regexp(t, `(?m)^licenses: example.com/strict\S* has no license that is known$`, printed)
	require.Regexp(t, `(?m)^licenses: example.com/copyleft\S* is under GPL-3.0-or-later`, printed)
}
