// Command dependencies lists the Go modules in the program parley. It checks that their licenses are allowed, and
// writes two files: the texts of the licenses, and a software bill of materials (SBOM) in the JSON format of CycloneDX.
//
// It reads the sources in the module cache and downloads nothing that is in there. GOOS, GOARCH and CGO_ENABLED select
// the program, as for go build. The same sources result in the same files, byte for byte. It prints one line for each
// problem. The exit code is 1 if there is a problem, and 2 if it was called incorrectly.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root := flag.String("root", ".", "folder of Parley's go.mod")
	allowedFile := flag.String("allowed", "", "file with the allowed licenses (default .tools/licenses-allowed below root)")
	tests := flag.Bool("tests", false, "also check what tests and the other commands depend on")
	texts := flag.String("licenses", "", "write the texts of the licenses to this file")
	sbom := flag.String("sbom", "", "write the SBOM to this file")
	version := flag.String("version", "dev", "version of parley in the SBOM")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *allowedFile == "" {
		*allowedFile = filepath.Join(*root, ".tools/licenses-allowed")
	}
	allowed, err := readAllowed(*allowedFile)
	if err != nil {
		return err
	}
	program, err := listModules(ctx, *root, "./cmd/parley")
	if err != nil {
		return err
	}
	checked := program
	if *tests {
		if checked, err = listModules(ctx, *root, "-test", "-tags=faults", "./..."); err != nil {
			return err
		}
	}
	others, err := bundled(*root)
	if err != nil {
		return err
	}
	if err := check(append(checked, others...), allowed); err != nil {
		return err
	}
	if *texts != "" {
		if err := write(*texts, func() ([]byte, error) { return licenseTexts(append(program, others...)), nil }); err != nil {
			return err
		}
	}
	if *sbom != "" {
		if err := write(*sbom, func() ([]byte, error) { return billOfMaterials(program, *version) }); err != nil {
			return err
		}
	}
	fmt.Printf("licenses: %d modules in parley, %d checked, all with an allowed license\n", len(program), len(checked))
	return nil
}

// bundled returns what is in the program without being a module of Go: files of other projects that stand in the tree or
// in a module.
func bundled(root string) ([]module, error) {
	var list []module
	for _, b := range []struct{ path, version, folder string }{
		{"openapi-explorer (npm)", "2.4.820", "platform/request/docs/site"},             // draws the reference at /docs
		{"packages of npm in the console", "", "api/console/dist"},                      // Preact and others, which Vite lists
		{"pdfium.wasm of go-pdfium", "", "modules/knowledge/adapters/extract/licenses"}, // with the libraries that it is linked with
	} {
		folder := filepath.Join(root, b.folder)
		files, err := readLicenses(folder, folder)
		if err != nil {
			return nil, fmt.Errorf("license of %s: %w", b.path, err)
		}
		list = append(list, module{Path: b.path, Version: b.version, Files: files})
	}
	return list, nil
}

func write(path string, content func() ([]byte, error)) error {
	bytes, err := content()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, bytes, 0o644)
}
