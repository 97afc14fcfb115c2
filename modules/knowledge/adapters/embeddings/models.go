package embeddings

import (
	"context"
	"errors"
	"net/http"

	"github.com/parley/parley/modules/knowledge/domain"
	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/resilience"
)

// Models are the operator's models, and those of workspaces. It is safe for concurrent use.
type Models struct {
	Names    []string // of the operator's
	Server   Server   // the operator's
	Settings string   // what changes the vectors of the operator's models besides their names

	Keys   ports.EmbeddingKeys // of workspaces
	Client *http.Client        // for their servers: it calls only addresses that they may have
	Guard  *resilience.Group   // around calls of their servers, whose failures are not the operator's
	Batch  int                 // texts in one call of their servers
}

var _ ports.EmbeddingModels = Models{}

// Serving returns the workspace's own model first.
func (m Models) Serving(ctx context.Context) ([]ports.EmbeddingModel, error) {
	var list []ports.EmbeddingModel
	own, err := m.Keys.Open(ctx)
	switch {
	case err == nil:
		list = append(list, m.Of(own))
	case !errors.Is(err, ports.ErrEmbeddingKeyNotFound):
		return nil, err
	}
	for _, name := range m.Names {
		if name != own.Model {
			list = append(list, ports.EmbeddingModel{Name: name, Space: name, Settings: m.Settings, Embedder: m.Server})
		}
	}
	return list, nil
}

// Of returns the model of a workspace's own server.
func (m Models) Of(k domain.EmbeddingKey) ports.EmbeddingModel {
	s := Server{Key: k.Secret(), Dimensions: k.Dimensions, Batch: m.Batch, Client: m.Client, Guard: m.Guard, Own: k.Space()}
	if k.BaseURL != nil {
		s.URL = *k.BaseURL
	}
	return ports.EmbeddingModel{Name: k.Model, Space: k.Space(), Own: true, Embedder: s}
}

// target returns for whom a call counts. With the operator's key workspaces are sources, so that failures of one workspace
// do not affect others. A workspace's own server is a target of that workspace.
func (s Server) target(ctx context.Context, model string) (source, target string) {
	workspace := callctx.From(ctx).Principal.WorkspaceID.String()
	if s.Own != "" {
		return "", workspace + " " + s.Own
	}
	return workspace, model[:min(len(model), maxName)]
}
