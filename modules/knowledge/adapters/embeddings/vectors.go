package embeddings

import (
	"errors"
	"math"
	"unicode/utf8"

	"github.com/parley/parley/modules/knowledge/ports"
	"github.com/parley/parley/platform/data/vector"
)

const (
	maxDimensions  = vector.MaxDimensions
	bytesPerNumber = 32      // of JSON, with room for white space
	envelope       = 1 << 16 // bytes beside the numbers
)

// maxAnswer is how many bytes of a response to so many texts are read.
func maxAnswer(texts int) int64 { return int64(texts)*maxDimensions*bytesPerNumber + envelope }

// Answers that are not what was asked for. They may pass: a server that is being started or a proxy sends such.
var (
	errNotVectors       = errors.New("the embedding model sent no lists of numbers")
	errTooLarge         = errors.New("the embedding model sent more than vectors of as many texts can have")
	errOtherTexts       = errors.New("the embedding model sent vectors of other texts than those that it got")
	errDimensionsDiffer = errors.New("the embedding model sent vectors of different numbers of dimensions")
)

// unit returns the vector of length 1 in the same direction; nil for the vector 0.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	n := math.Sqrt(sum)
	if n == 0 {
		return nil
	}
	for i, x := range v {
		v[i] = float32(float64(x) / n)
	}
	return v
}

// sameDimensions reports whether all vectors have the same number of dimensions.
func sameDimensions(vectors [][]float32) bool {
	dimensions := 0
	for _, v := range vectors {
		if dimensions == 0 {
			dimensions = len(v)
		}
		if v != nil && len(v) != dimensions {
			return false
		}
	}
	return true
}

// charactersPerToken is the estimate where a server does not count: that of English.
const charactersPerToken = 4

// usage returns what a call has used, as the server counts it, or else an estimate.
func usage(a answer, texts []string) ports.EmbeddingUsage {
	characters := 0
	for _, text := range texts {
		characters += utf8.RuneCountInString(text)
	}
	n := a.Usage.PromptTokens
	if n <= 0 {
		n = a.Usage.TotalTokens
	}
	if n <= 0 || n > int64(4*characters+16*len(texts)+64) { // no text has that many
		return ports.EmbeddingUsage{Tokens: int64(characters/charactersPerToken + 1), Estimated: true}
	}
	return ports.EmbeddingUsage{Tokens: n}
}
