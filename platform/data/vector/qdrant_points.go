package vector

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// How points look in Qdrant: the names in their payload.
const (
	prefix       = "parley_" // of its collections
	keyWorkspace = "workspace_id"
	keyPoint     = "point_id"
	keyDocument  = "document_id"
	keyChunk     = "chunk"
	keyContent   = "content"
	keyLabel     = "label_" // and the name of the label
)

func toQdrant(workspace uuid.UUID, p Point) *qdrant.PointStruct {
	payload := map[string]*qdrant.Value{
		keyWorkspace: qdrant.NewValueString(workspace.String()),
		keyPoint:     qdrant.NewValueString(p.ID.String()),
		keyDocument:  qdrant.NewValueString(p.DocumentID.String()),
		keyChunk:     qdrant.NewValueInt(int64(p.Chunk)),
		keyContent:   qdrant.NewValueString(p.Content),
	}
	for name, value := range p.Labels {
		payload[keyLabel+name] = qdrant.NewValueString(value)
	}
	return &qdrant.PointStruct{
		Id:      qdrant.NewIDUUID(uuid.NewSHA1(workspace, p.ID[:]).String()),
		Vectors: qdrant.NewVectorsDense(p.Vector),
		Payload: payload,
	}
}

func fromQdrant(p *qdrant.ScoredPoint) (m Match, err error) {
	payload := p.GetPayload()
	m = Match{
		Score: p.GetScore(), Chunk: int(payload[keyChunk].GetIntegerValue()), Content: payload[keyContent].GetStringValue(),
		Labels: map[string]string{},
	}
	if m.ID, err = uuid.Parse(payload[keyPoint].GetStringValue()); err != nil {
		return m, fmt.Errorf("vector: a point in Qdrant has no id of ours: %w", err)
	}
	if m.DocumentID, err = uuid.Parse(payload[keyDocument].GetStringValue()); err != nil {
		return m, fmt.Errorf("vector: the point %s in Qdrant has no document: %w", m.ID, err)
	}
	for key, value := range payload {
		if name, ok := strings.CutPrefix(key, keyLabel); ok {
			m.Labels[name] = value.GetStringValue()
		}
	}
	return m, nil
}

// filterOf lets through what is of the workspace, and of that what the filter does. There is no other way to a filter.
func filterOf(workspace uuid.UUID, f Filter) *qdrant.Filter {
	must := []*qdrant.Condition{qdrant.NewMatchKeyword(keyWorkspace, workspace.String())}
	if len(f.DocumentIDs) > 0 {
		ids := make([]string, len(f.DocumentIDs))
		for i, id := range f.DocumentIDs {
			ids[i] = id.String()
		}
		must = append(must, qdrant.NewMatchKeywords(keyDocument, ids...))
	}
	var sets []*qdrant.Condition
	for _, labels := range f.Labels {
		var all []*qdrant.Condition
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			all = append(all, qdrant.NewMatchKeyword(keyLabel+name, labels[name]))
		}
		if len(f.Labels) == 1 {
			must = append(must, all...)
		} else {
			sets = append(sets, qdrant.NewFilterAsCondition(&qdrant.Filter{Must: all}))
		}
	}
	if len(sets) > 0 {
		must = append(must, qdrant.NewFilterAsCondition(&qdrant.Filter{Should: sets}))
	}
	return &qdrant.Filter{Must: must}
}
