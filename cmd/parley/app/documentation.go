package app

import (
	"context"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/parley/parley/api"
	"github.com/parley/parley/platform/request/docs"
)

// documentation returns the source of the pages at /docs.
func documentation() (docs.Source, error) {
	guides, err := api.Guides()
	return docs.Source{Document: api.YAML, Examples: api.Examples, Guides: guides, Changelog: api.Changelog}, err
}

// printDocument returns the action of `parley openapi`, which prints the OpenAPI document as the server publishes it.
func printDocument(stdout io.Writer) cli.ActionFunc {
	return func(context.Context, *cli.Command) error {
		document, err := docs.Publish(api.YAML, api.Examples)
		if err != nil {
			return err
		}
		text, err := document.YAML()
		if err != nil {
			return err
		}
		_, err = stdout.Write(text)
		return err
	}
}
