package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// self is the module of Parley.
const self = "github.com/parley/parley"

// billOfMaterials describes parley and the modules in it. It has neither a time nor a serial number, which would differ
// for the same program.
func billOfMaterials(modules []module, version string) ([]byte, error) {
	program := cdx.Component{
		BOMRef: purl(self, version), Type: cdx.ComponentTypeApplication, Name: "parley", Version: version, PackageURL: purl(self, version),
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}
	components := make([]cdx.Component, 0, len(modules))
	references := make([]string, 0, len(modules))
	for _, m := range modules {
		c, err := component(m)
		if err != nil {
			return nil, err
		}
		components, references = append(components, c), append(references, c.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Component: &program,
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "make sbom", Group: "parley"}}},
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: program.BOMRef, Dependencies: &references}}
	var b bytes.Buffer
	encoder := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("write the SBOM: %w", err)
	}
	return b.Bytes(), nil
}

func component(m module) (cdx.Component, error) {
	name, version := m.Path, m.Version
	if name == std { // as scanners for vulnerabilities call it
		name, version = "stdlib", strings.TrimPrefix(version, "go")
	}
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: purl(name, version), Scope: cdx.ScopeRequired}
	c.BOMRef = c.PackageURL
	if ids := m.licenses(); len(ids) == 1 {
		c.Licenses = &cdx.Licenses{{License: &cdx.License{ID: ids[0]}}}
	} else {
		c.Licenses = &cdx.Licenses{{Expression: strings.Join(ids, " AND ")}}
	}
	if m.Sum == "" {
		return c, nil
	}
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil {
		return c, fmt.Errorf("the checksum of %s: %w", m.Path, err)
	}
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	return c, nil
}

// purl is the package URL of a Go module.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + url.QueryEscape(version)
}
