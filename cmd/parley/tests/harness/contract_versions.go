package harness

import (
	"errors"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// kin-openapi compiles the schema of a body anew for each request and answer of an OpenAPI 3.1 document, which took a fifth
// of the processor time of the suite. It does not for 3.0, whose keywords its own validator checks equally: that one it
// falls back to for 3.1 too, where a schema refers to another.

// cheapest returns the route with the version of the document by which the least work checks all that its schemas say.
func (c apiContract) cheapest(route *routers.Route) *routers.Route {
	if c.newer[route.Operation.OperationID] {
		return route
	}
	older := *route
	older.Spec = c.older
	return &older
}

// newerOperations returns the ids of the operations in whose schemas a keyword is used that came after OpenAPI 3.0.
func newerOperations(doc *openapi3.T) map[string]bool {
	newer := map[string]bool{}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			for _, schema := range schemasOf(item, operation) {
				if saysMoreThan30(schema) {
					newer[operation.OperationID] = true
				}
			}
		}
	}
	return newer
}

// schemasOf returns the schemas of the parameters, the body and the answers of an operation.
func schemasOf(item *openapi3.PathItem, operation *openapi3.Operation) (all []*openapi3.SchemaRef) {
	content := func(c openapi3.Content) {
		for _, media := range c {
			all = append(all, media.Schema)
		}
	}
	for _, parameters := range []openapi3.Parameters{item.Parameters, operation.Parameters} {
		for _, p := range parameters {
			all = append(all, p.Value.Schema)
			content(p.Value.Content)
		}
	}
	if operation.RequestBody != nil {
		content(operation.RequestBody.Value.Content)
	}
	for _, response := range operation.Responses.Map() {
		for _, header := range response.Value.Headers {
			all = append(all, header.Value.Schema)
			content(header.Value.Content)
		}
		content(response.Value.Content)
	}
	return all
}

var errFound = errors.New("found")

func saysMoreThan30(schema *openapi3.SchemaRef) bool {
	if schema == nil {
		return false
	}
	return errors.Is(schema.WalkSubtree(func(_ string, ref *openapi3.SchemaRef) error {
		s := ref.Value
		if s.Const != nil || len(s.PrefixItems) > 0 || s.Contains != nil || s.MinContains != nil || s.MaxContains != nil ||
			len(s.PatternProperties) > 0 || s.PropertyNames != nil || len(s.DependentSchemas) > 0 || len(s.DependentRequired) > 0 ||
			s.UnevaluatedItems.Has != nil || s.UnevaluatedItems.Schema != nil || s.UnevaluatedProperties.Has != nil || s.UnevaluatedProperties.Schema != nil ||
			s.IsEmpty() || // takes null only from 3.1 on
			s.If != nil || s.Then != nil || s.Else != nil || len(s.Defs) > 0 || s.ContentSchema != nil {
			return errFound
		}
		return nil
	}), errFound)
}
