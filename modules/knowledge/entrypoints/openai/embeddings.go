// Package openai serves the embedding models of a workspace in the form of OpenAI's API.
package openai

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"

	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/modules/knowledge/usecases"
	"github.com/parley/parley/platform/request/fail"
)

// Server serves the calls.
type Server struct{ Embed usecases.EmbedTexts }

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }

// CreateEmbeddings makes a vector of each text of a call.
func (s Server) CreateEmbeddings(ctx context.Context, r CreateEmbeddingsRequestObject) (CreateEmbeddingsResponseObject, error) {
	in := usecases.Texts{Model: r.Body.Model, Kind: ports.Passage}
	var err error
	if in.Texts, in.Single, err = textsOf(r.Body.Input); err != nil {
		return nil, err
	}
	if r.Body.InputType != nil {
		in.Kind = ports.EmbeddingKind(*r.Body.InputType)
	}
	if r.Body.Dimensions != nil {
		in.Dimensions = int(*r.Body.Dimensions)
	}
	vectors, used, err := s.Embed.Do(ctx, in)
	if err != nil {
		return nil, err
	}
	list := EmbeddingList{Object: "list", Model: r.Body.Model, Data: make([]Embedding, len(vectors))}
	encoded := r.Body.EncodingFormat != nil && *r.Body.EncodingFormat == "base64"
	for i, v := range vectors {
		list.Data[i] = Embedding{Object: "embedding", Index: i, Embedding: v}
		if encoded {
			list.Data[i].Embedding = encode(v)
		}
	}
	list.Usage.PromptTokens, list.Usage.TotalTokens = used.Tokens, used.Tokens
	return CreateEmbeddings200JSONResponse(list), nil
}

// textsOf returns the texts of a call: a single one, or a list. The document has checked their form.
func textsOf(input json.RawMessage) (texts []string, single bool, err error) {
	var text string
	if json.Unmarshal(input, &text) == nil {
		return []string{text}, true, nil
	}
	if err := json.Unmarshal(input, &texts); err != nil {
		return nil, false, fail.Fields(fail.Field{Field: "input", Code: "WRONG_TYPE", Message: "must be a text or a list of texts"})
	}
	return texts, false, nil
}

// bytesOfFloat is the size of a number of a vector.
const bytesOfFloat = 4

// encode returns the bytes of a vector in base64, as OpenAI's clients read them.
func encode(vector []float32) string {
	raw := make([]byte, 0, bytesOfFloat*len(vector))
	for _, x := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
