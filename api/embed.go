// Package api has the OpenAPI document: the contract that the server's types are generated from, that requests are
// checked against, and that clients read; the guides; and the built files of the web console.
package api

import (
	"embed"
	"fmt"
	"io/fs"

	"sigs.k8s.io/yaml"
)

// YAML is the document as it was written. Clients read the one that docs.Publish makes of it.
//
//go:embed openapi.yaml
var YAML []byte

// Examples are examples of answers, by operation id and status, which the published document has in it.
//
//go:embed examples.yaml
var Examples []byte

// Changelog is the list of changes, in Markdown.
//
//go:embed CHANGELOG.md
var Changelog []byte

//go:embed guides/*.md
var guides embed.FS

// Guides returns the folder of guides, pages of Markdown. README.md lists them.
func Guides() (fs.FS, error) {
	folder, err := fs.Sub(guides, "guides")
	if err != nil {
		return nil, fmt.Errorf("read the guides: %w", err)
	}
	return folder, nil
}

//go:embed all:console/dist
var console embed.FS

// Console returns the folder of the built web console: index.html and assets.
func Console() (fs.FS, error) {
	folder, err := fs.Sub(console, "console/dist")
	if err != nil {
		return nil, fmt.Errorf("read the console: %w", err)
	}
	return folder, nil
}

// JSON is the document in JSON.
func JSON() ([]byte, error) {
	doc, err := yaml.YAMLToJSON(YAML)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return doc, nil
}
