// Package api has the OpenAPI document: the contract that the server's types are generated from, that requests are
// checked against, and that clients read.
package api

import (
	_ "embed"
	"fmt"

	"sigs.k8s.io/yaml"
)

// YAML is the document as it was written.
//
//go:embed openapi.yaml
var YAML []byte

// JSON is the document in JSON.
func JSON() ([]byte, error) {
	doc, err := yaml.YAMLToJSON(YAML)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return doc, nil
}
