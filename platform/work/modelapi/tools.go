package modelapi

import "regexp"

var (
	ofTools = regexp.MustCompile(`(?i)\btools?\b|\btool[ _-]?(use|calls?|calling|choice)\b|function[ _-]?(calls?|calling)|'tools'`)
	notHere = regexp.MustCompile(`(?i)unsupported|n[o']t support|not (yet )?(enabled|available|implemented|permitted)|no endpoints found|requires --|unrecogni[sz]ed (request )?(parameter|argument)|extra inputs`)
)

// RefusesTools reports whether the error says that the model, or its server, cannot call tools: as of Ollama (a model does not support
// tools), vLLM ("auto" tool choice requires --enable-auto-tool-choice), llama.cpp (tools param requires --jinja flag), OpenRouter (No
// endpoints found that support tool use), Groq (tool calling is not supported with this model), DeepSeek (does not support Function
// Calling), Gemini (Function calling is not enabled) and OpenAI (Unsupported parameter: 'tools').
func (w ServerError) RefusesTools() bool {
	return ofTools.MatchString(w.message) && notHere.MatchString(w.message)
}
