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
	page, err := referencePage(*root)
	if err != nil {
		return err
	}
	if err := check(append(checked, page), allowed); err != nil {
		return err
	}
	if *texts != "" {
		if err := write(*texts, func() ([]byte, error) { return licenseTexts(append(program, page)), nil }); err != nil {
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

// referencePage is the package of npm that draws the reference at /docs and is in the program as one file.
func referencePage(root string) (module, error) {
	folder := filepath.Join(root, "platform/docs/site")
	files, err := readLicenses(folder, folder)
	if err != nil {
		return module{}, fmt.Errorf("license of openapi-explorer: %w", err)
	}
	return module{Path: "openapi-explorer (npm)", Version: "2.4.820", Files: files}, nil
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
