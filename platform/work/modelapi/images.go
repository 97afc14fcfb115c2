package modelapi

import "regexp"

var (
	ofImages   = regexp.MustCompile(`(?i)\bimages?\b|image_url|multi-?modal|\bvision\b`)
	noImages   = regexp.MustCompile(`(?i)unsupported|(not|n't|n[o']t) support|only supported by|not (a |yet )?(multi-?modal|enabled|available|implemented|permitted|allowed|accept)|no endpoints found|unknown variant|does(n't| not) (accept|take|have)|at most 0 image`)
	textWanted = regexp.MustCompile(`(?i)content must be a string|content.{0,40}(should|must) be a (valid )?string`)
)

// RefusesImages reports whether the error says that the model, or its server, takes no images: as of OpenAI (Invalid content type. image_url
// is only supported by certain models), vLLM (is not a multimodal model), llama.cpp (image input is not supported), OpenRouter (No
// endpoints found that support image input), DeepSeek (unknown variant `image_url`), Groq (messages[0].content must be a string), Mistral
// (Image input is not enabled for this model) and Anthropic (image input is not supported).
func (w ServerError) RefusesImages() bool {
	return ofImages.MatchString(w.message) && noImages.MatchString(w.message) || textWanted.MatchString(w.message)
}
