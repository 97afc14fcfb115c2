package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// module is a Go module of which at least one package is used. Go's standard library counts as one, named std.
type module struct {
	Path, Version string
	Sum           string // the checksum of go.sum, h1:…; empty for std
	Files         []licenseFile
}

// licenseFile is a file that says under which license a module, or a folder of it, may be used.
type licenseFile struct {
	Name    string   // its path in the module
	Text    string   // all of it
	IDs     []string // SPDX identifiers of the licenses in it, sorted
	Known   float64  // percentage of the text that is part of a known license
	Notice  bool     // it is no license, but has to be passed on with one
	Patents bool     // it says, beside the license, how patents may be used
}

// std is the name of the standard library among the modules.
const std = "std"

// minKnown is the percentage of a license file that has to be known text. What is left may be names and years.
const minKnown = 75

var (
	licenseName = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying`)
	noticeName  = regexp.MustCompile(`(?i)^notice`)
	patentsName = regexp.MustCompile(`(?i)^patents`)
)

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath, Dir string
	Standard        bool
	EmbedFiles      []string
	Module          *struct {
		Path, Version, Dir, Sum string
		Main                    bool
		Replace                 *struct{ Path, Version, Dir, Sum string }
	}
}

// listModules lists the modules that packages below root depend on, sorted by path, and std. Parley is not among them.
func listModules(ctx context.Context, root string, arguments ...string) ([]module, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-json=ImportPath,Dir,Standard,EmbedFiles,Module"}, arguments...)...)
	command.Dir, command.Stderr = root, os.Stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	modules := map[string]*module{}
	folders := map[string]map[string]bool{} // of each module: the folders with files that are used
	roots := map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		m := p.Module
		if _, ok := modules[m.Path]; !ok {
			modules[m.Path] = &module{Path: m.Path, Version: m.Version, Sum: m.Sum}
			roots[m.Path], folders[m.Path] = m.Dir, map[string]bool{}
			if r := m.Replace; r != nil {
				modules[m.Path].Version, modules[m.Path].Sum, roots[m.Path] = r.Version, r.Sum, r.Dir
			}
		}
		addFolders(folders[m.Path], roots[m.Path], p)
	}
	standard, err := standardLibrary(ctx)
	if err != nil {
		return nil, err
	}
	list := []module{*standard}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		for _, folder := range slices.Sorted(maps.Keys(folders[path])) {
			files, err := readLicenses(roots[path], folder)
			if err != nil {
				return nil, fmt.Errorf("license of %s: %w", path, err)
			}
			m.Files = append(m.Files, files...)
		}
		list = append(list, *m)
	}
	return list, nil
}

// addFolders adds the folder of a package, those of the files that it embeds, and all that are above these.
func addFolders(folders map[string]bool, root string, p goPackage) {
	for _, file := range append([]string{"package.go"}, p.EmbedFiles...) {
		folder := filepath.Dir(filepath.Join(p.Dir, file))
		for ; strings.HasPrefix(folder, root+string(filepath.Separator)); folder = filepath.Dir(folder) {
			folders[folder] = true
		}
	}
	folders[root] = true
}

// standardLibrary describes Go's own library. Its license is beside the compiler, or one folder above it.
func standardLibrary(ctx context.Context) (*module, error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	m := &module{Path: std, Version: version}
	for _, folder := range []string{root, filepath.Dir(root)} {
		if m.Files, err = readLicenses(folder, folder); err == nil && len(m.Files) > 0 {
			return m, nil
		}
	}
	return nil, fmt.Errorf("Go's own license is neither in %s nor in the folder above it", root)
}

// readLicenses reads the licenses that are directly in a folder.
func readLicenses(root, folder string) (files []licenseFile, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		license, notice, patents := licenseName.MatchString(name), noticeName.MatchString(name), patentsName.MatchString(name)
		if entry.IsDir() || strings.HasSuffix(name, ".go") || !license && !notice && !patents {
			continue
		}
		path := filepath.Join(folder, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		file := licenseFile{Name: filepath.ToSlash(relative), Text: string(text), Notice: notice, Patents: patents}
		if !notice {
			file.IDs, file.Known = identify(text)
		}
		files = append(files, file)
	}
	return files, nil
}

// identify finds the licenses in a text and what percentage of it they are. Links to licenses do not count.
func identify(text []byte) (ids []string, known float64) {
	coverage := licensecheck.Scan(text)
	for _, match := range coverage.Match {
		if !match.IsURL {
			ids = append(ids, match.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), coverage.Percent
}

// licenses lists the SPDX identifiers of a module's licenses, sorted.
func (m module) licenses() (ids []string) {
	for _, f := range m.Files {
		if !f.Patents {
			ids = append(ids, f.IDs...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
