package modelerror_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modelerror"
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/resilience"
)

// refusals are errors as providers send them. A code of "" is a failure that may pass.
func refusals() map[string]struct {
	status int
	body   string
	code   string
} {
	return map[string]struct {
		status int
		body   string
		code   string
	}{
		"OpenAI, a wrong key":            {401, `{"error":{"message":"Incorrect API key provided: sk-proj-********abcd. You can find your API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, "MODEL_CREDENTIALS"},
		"OpenAI, another region":         {403, `{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}`, "MODEL_REJECTED"},
		"OpenAI, a model of others":      {403, `{"error":{"message":"Project ` + "`proj_abc`" + ` does not have access to model ` + "`gpt-5`" + `","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, "MODEL_NOT_FOUND"},
		"OpenAI, no such model":          {404, `{"error":{"message":"The model ` + "`gpt-9`" + ` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, "MODEL_NOT_FOUND"},
		"OpenAI, a wrong path":           {404, `{"error":{"message":"Invalid URL (POST /v1/v1/chat/completions)","type":"invalid_request_error","param":null,"code":null}}`, "MODEL_NOT_FOUND"},
		"OpenAI, no credit":              {429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, "MODEL_QUOTA"},
		"OpenAI, a hard limit":           {400, `{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","param":null,"code":"billing_hard_limit_reached"}}`, "MODEL_QUOTA"},
		"OpenAI, an account not paid":    {429, `{"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","param":null,"code":"billing_not_active"}}`, "MODEL_QUOTA"},
		"OpenAI, too many requests":      {429, `{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on tokens per min (TPM): Limit 30000, Used 29000, Requested 3000. Please try again in 4s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, ""},
		"OpenAI, one request too large":  {429, `{"error":{"message":"Request too large for gpt-4o in organization org-abc on tokens per min (TPM): Limit 30000, Requested 45000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, "CONTEXT_TOO_LONG"},
		"OpenAI, too long":               {400, `{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 10456 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, "CONTEXT_TOO_LONG"},
		"OpenAI, a long text":            {400, `{"error":{"message":"Invalid 'messages[0].content': string too long. Expected a string with maximum length 10485760.","type":"invalid_request_error","param":"messages[0].content","code":"string_above_max_length"}}`, "CONTEXT_TOO_LONG"},
		"OpenAI, tokens over the limit":  {400, `{"error":{"message":"Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300012 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, "CONTEXT_TOO_LONG"},
		"OpenAI, too many output tokens": {400, `{"error":{"message":"max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.","type":"invalid_request_error","param":"max_tokens","code":"invalid_value"}}`, "MODEL_REJECTED"},
		"OpenAI, a wrong parameter":      {400, `{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`, "MODEL_REJECTED"},
		"OpenAI, another parameter":      {400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`, "MODEL_REJECTED"},
		"OpenAI, a flagged prompt":       {400, `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}`, "CONTENT_FILTERED"},
		"OpenAI, an error of its own":    {500, `{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}`, ""},
		"Azure, the filter":              {400, `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more: https://go.microsoft.com/fwlink/?linkid=2198766","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":false}}}}}`, "CONTENT_FILTERED"},
		"Azure, a wrong key":             {401, `{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}`, "MODEL_CREDENTIALS"},
		"Azure, no deployment":           {404, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again."}}`, "MODEL_NOT_FOUND"},
		"Azure, a wrong path":            {404, `{"error":{"code":"404","message":"Resource not found"}}`, "MODEL_NOT_FOUND"},
		"Anthropic, a wrong key":         {401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, "MODEL_CREDENTIALS"},
		"Anthropic, not permitted":       {403, `{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}`, "MODEL_CREDENTIALS"},
		"Anthropic, no credit":           {400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}`, "MODEL_QUOTA"},
		"Anthropic, a limit of usage":    {400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2025-08-01 at 00:00 UTC."}}`, "MODEL_QUOTA"},
		"Anthropic, not paid":            {402, `{"type":"error","error":{"type":"billing_error","message":"There is an issue with your billing."}}`, "MODEL_QUOTA"},
		"Anthropic, no such model":       {404, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}`, "MODEL_NOT_FOUND"},
		"Anthropic, too long":            {400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`, "CONTEXT_TOO_LONG"},
		"Anthropic, too long together":   {400, `{"type":"error","error":{"type":"invalid_request_error","message":"input length and ` + "`max_tokens`" + ` exceed context limit: 190000 + 20000 > 200000, decrease input length or ` + "`max_tokens`" + ` and try again"}}`, "CONTEXT_TOO_LONG"},
		"Anthropic, too large":           {413, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`, "CONTEXT_TOO_LONG"},
		"Anthropic, the filter":          {400, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`, "CONTENT_FILTERED"},
		"Anthropic, a blank message":     {400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: text content blocks must contain non-whitespace text"}}`, "MODEL_REJECTED"},
		"Anthropic, overloaded":          {529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, ""},
		"Anthropic, too many requests":   {429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute."}}`, ""},
		"Mistral, a wrong key":           {401, `{"message":"Unauthorized","request_id":"abc"}`, "MODEL_CREDENTIALS"},
		"Mistral, no such model":         {400, `{"object":"error","message":"Invalid model: mistral-huge","type":"invalid_model","param":null,"code":"1500"}`, "MODEL_NOT_FOUND"},
		"Mistral, too long":              {400, `{"object":"error","message":"Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"}`, "CONTEXT_TOO_LONG"},
		"Mistral, wrong fields":          {422, `{"object":"error","message":{"detail":[{"type":"less_than_equal","loc":["body","temperature"],"msg":"Input should be less than or equal to 1.5"}]},"type":"invalid_request_error","param":null,"code":null}`, "MODEL_REJECTED"},
		"Mistral, out of capacity":       {429, `{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}`, ""},
		"Groq, no such model":            {404, `{"error":{"message":"The model ` + "`llama-9`" + ` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}}`, "MODEL_NOT_FOUND"},
		"Groq, a model that is no more":  {400, `{"error":{"message":"The model ` + "`mixtral-8x7b-32768`" + ` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}`, "MODEL_NOT_FOUND"},
		"Groq, too long":                 {400, `{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, "CONTEXT_TOO_LONG"},
		"Groq, too large a minute":       {413, `{"error":{"message":"Request too large for model ` + "`llama-3.3-70b`" + ` in organization ` + "`org_01abc`" + ` on tokens per minute (TPM): Limit 6000, Requested 12345","type":"tokens","code":"rate_limit_exceeded"}}`, "CONTEXT_TOO_LONG"},
		"DeepSeek, no credit":            {402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, "MODEL_QUOTA"},
		"DeepSeek, no such model":        {400, `{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`, "MODEL_NOT_FOUND"},
		"DeepSeek, the filter":           {400, `{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`, "CONTENT_FILTERED"},
		"OpenRouter, no credit":          {402, `{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 4000. To increase, visit https://openrouter.ai/settings/credits","code":402,"metadata":{"provider_name":null}},"user_id":"user_2abc"}`, "MODEL_QUOTA"},
		"OpenRouter, error in an error":  {402, `{"error":{"error":{"message":"More credits are required to run this request.","code":402},"code":402}}`, "MODEL_QUOTA"},
		"OpenRouter, moderation":         {403, `{"error":{"message":"Your chosen model requires moderation and your input was flagged for \"violence\". No credits were charged.","code":403,"metadata":{"reasons":["violence"],"flagged_input":"…"}}}`, "CONTENT_FILTERED"},
		"OpenRouter, no such model":      {400, `{"error":{"message":"openai/gpt-9 is not a valid model ID","code":400}}`, "MODEL_NOT_FOUND"},
		"OpenRouter, nobody serves it":   {404, `{"error":{"message":"No endpoints found for x/y.","code":404}}`, "MODEL_NOT_FOUND"},
		"OpenRouter, a limit of the key": {403, `{"error":{"message":"Key limit exceeded (monthly limit). Manage it using https://openrouter.ai/settings/keys","code":403}}`, "MODEL_QUOTA"},
		"OpenRouter, the provider fails": {502, `{"error":{"message":"Provider returned error","code":502}}`, ""},
		"Together, no such model":        {404, `{"id":"nx","error":{"message":"Unable to access model x/y. Please visit https://api.together.ai/models","type":"invalid_request_error","param":null,"code":"model_not_available"}}`, "MODEL_NOT_FOUND"},
		"Together, too long":             {422, `{"error":{"message":"Input validation error: ` + "`inputs` tokens + `max_new_tokens`" + ` must be <= 4097. Given: 4000 ` + "`inputs`" + ` tokens and 512 ` + "`max_new_tokens`" + `","type":"invalid_request_error","param":null,"code":null}}`, "CONTEXT_TOO_LONG"},
		"xAI, no credit":                 {429, `{"code":"Some resource has been exhausted","error":"Your team 16f2151a-40f4-4a80-8ad0-cae00c27e8dd has either used all available credits or reached its monthly spending limit."}`, "MODEL_QUOTA"},
		"xAI, a wrong key":               {400, `{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***ab. You can obtain an API key from https://console.x.ai."}`, "MODEL_CREDENTIALS"},
		"xAI, too long":                  {400, `{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}`, "CONTEXT_TOO_LONG"},
		"Ollama, no such model":          {404, `{"error":{"message":"model \"llama9\" not found, try pulling it first","type":"api_error","param":null,"code":null}}`, "MODEL_NOT_FOUND"},
		"Ollama, in its own form":        {404, `{"error":"model 'llama9' not found"}`, "MODEL_NOT_FOUND"},
		"vLLM, no such model":            {404, `{"object":"error","message":"The model ` + "`x`" + ` does not exist.","type":"NotFoundError","param":null,"code":404}`, "MODEL_NOT_FOUND"},
		"vLLM, a wrong path":             {404, `{"detail":"Not Found"}`, "MODEL_NOT_FOUND"},
		"vLLM, too long":                 {400, `{"object":"error","message":"This model's maximum context length is 32768 tokens. However, you requested 41648 tokens (37552 in the messages, 4096 in the completion). Please reduce the length of the messages or completion.","type":"BadRequestError","param":null,"code":400}`, "CONTEXT_TOO_LONG"},
		"vLLM, no room for an answer":    {400, `{"object":"error","message":"max_tokens must be at least 1, got -186.","type":"BadRequestError","param":null,"code":400}`, "CONTEXT_TOO_LONG"},
		"llama.cpp, too long":            {400, `{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}`, "CONTEXT_TOO_LONG"},
		"llama.cpp, too long, formerly":  {500, `{"error":{"code":500,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":1407,"n_ctx":256}}`, "CONTEXT_TOO_LONG"},
		"llama.cpp, it loads":            {503, `{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}`, ""},
		"Gemini, a wrong key":            {400, `[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]`, "MODEL_CREDENTIALS"},
		"Gemini, no such model":          {404, `[{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1main, or is not supported for generateContent.","status":"NOT_FOUND"}}]`, "MODEL_NOT_FOUND"},
		"Gemini, too many requests":      {429, `[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 15\nPlease retry in 23.4s.","status":"RESOURCE_EXHAUSTED"}}]`, ""},
		"Gemini, too long":               {400, `[{"error":{"code":400,"message":"The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]`, "CONTEXT_TOO_LONG"},
		"Gemini, another region":         {400, `[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]`, "MODEL_REJECTED"},
		"Yandex, a wrong key":            {401, `{"error":{"message":"Unknown api key 'AQVN****XXXX (AB12CD34)'","code":16}}`, "MODEL_CREDENTIALS"},
		"Yandex, too long":               {400, `{"error":{"message":"number of input tokens must be no more than 32768, got 40100","code":3,"type":"invalid_request_error"}}`, "CONTEXT_TOO_LONG"},
		"Yandex, no such model":          {400, `{"error":{"message":"Failed to get model: gpt://b1g/none","code":3}}`, "MODEL_NOT_FOUND"},
		"Qwen, not paid":                 {400, `{"error":{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}`, "MODEL_QUOTA"},
		"Qwen, the filter":               {400, `{"error":{"code":"data_inspection_failed","message":"Output data may contain inappropriate content.","type":"data_inspection_failed"}}`, "CONTENT_FILTERED"},
		"Moonshot, not paid":             {429, `{"error":{"message":"Your account is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}`, "MODEL_QUOTA"},
		"a proxy's page":                 {502, `<html><body>502 Bad Gateway</body></html>`, ""},
		"a proxy's limit":                {413, `<html><body>413 Request Entity Too Large</body></html>`, "CONTEXT_TOO_LONG"},
		"a proxy's refusal":              {403, `<html>Forbidden</html>`, "MODEL_CREDENTIALS"},
		"a path that takes no POST":      {405, `{"detail":"Method Not Allowed"}`, "MODEL_REJECTED"},
		"a redirection":                  {302, ``, "MODEL_REJECTED"},
		"a time-out":                     {408, `{"error":{"message":"timeout"}}`, ""},
		"a conflict":                     {409, `{}`, ""},
		"too early":                      {425, ``, ""},
		"nothing but a status":           {400, ``, "MODEL_REJECTED"},
	}
}

func TestWhatProvidersSayIsSortedByWhatHelps(t *testing.T) {
	t.Parallel()
	for name, test := range refusals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := modelerror.Refusal{Provider: "openai", Status: test.status, Body: []byte(test.body)}.Err()
			require.Error(t, err)
			require.Equal(t, test.code != "", ports.PermanentModelFailure(err), err)
			if test.code == "" {
				return
			}
			e := fail.From(err)
			require.Equal(t, test.code, e.Code)
			require.Equal(t, fail.Invalid, e.Kind)
			require.Equal(t, test.status, e.Details["status"])
			group := resilience.NewGroup("model", resilience.Policy{Timeout: time.Minute, Failures: 1, OpenFor: time.Hour}, slog.New(slog.DiscardHandler))
			require.ErrorIs(t, group.Do(t.Context(), "x", func(context.Context) error { return err }), err)
			require.Zero(t, group.Away("x"), "it opens a breaker")
		})
	}
}

func TestAServerThatHasNoToolsIsSaidToHaveNone(t *testing.T) {
	t.Parallel()
	p := ports.Prompt{Tools: []domain.OfferedTool{{Name: "weather"}}}
	for name, test := range map[string]struct {
		status int
		body   string
		none   bool
	}{
		"Ollama":            {400, `{"error":{"message":"registry.ollama.ai/library/gemma3:4b does not support tools","type":"api_error","param":null,"code":null}}`, true},
		"vLLM":              {400, `{"object":"error","message":"\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","param":null,"code":400}`, true},
		"llama.cpp":         {500, `{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}`, true},
		"OpenRouter":        {404, `{"error":{"message":"No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing","code":404}}`, true},
		"Groq":              {400, "{\"error\":{\"message\":\"`tool calling` is not supported with this model\",\"type\":\"invalid_request_error\"}}", true},
		"DeepSeek":          {400, `{"error":{"message":"deepseek-reasoner does not support Function Calling","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`, true},
		"Gemini":            {400, `[{"error":{"code":400,"message":"Function calling is not enabled for models/gemma-3-27b-it","status":"INVALID_ARGUMENT"}}]`, true},
		"OpenAI":            {400, `{"error":{"message":"Unsupported parameter: 'tools' is not supported with this model.","type":"invalid_request_error","param":"tools","code":"unsupported_parameter"}}`, true},
		"Anthropic":         {400, `{"type":"error","error":{"type":"invalid_request_error","message":"tools: Extra inputs are not permitted"}}`, true},
		"a wrong schema":    {400, `{"error":{"message":"Invalid schema for function 'weather': In context=(), object schema missing properties.","type":"invalid_request_error","param":"tools[0].function.parameters","code":"invalid_function_parameters"}}`, false},
		"another parameter": {400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model.","param":"max_tokens","code":"unsupported_parameter"}}`, false},
		"too long":          {400, `{"error":{"message":"This model's maximum context length is 8192 tokens, with 500 of tools.","code":"context_length_exceeded"}}`, false},
		"a proxy":           {502, `Bad Gateway`, false},
	} {
		refusal := modelerror.Refusal{Provider: "openai", Status: test.status, Body: []byte(test.body), Prompt: p}
		err := refusal.Err()
		require.Equal(t, test.none, errors.Is(err, ports.ErrToolsUnsupported), name)
		refusal.Prompt.Tools = nil
		require.NotErrorIs(t, refusal.Err(), ports.ErrToolsUnsupported, name)
		if test.none {
			require.True(t, ports.PermanentModelFailure(err), name)
			e := fail.From(err)
			require.Equal(t, []any{"MODEL_REJECTED", "TOOLS_UNSUPPORTED", test.status}, []any{e.Code, e.Details["reason"], e.Details["status"]}, name)
			require.Contains(t, e.Message, "cannot call tools")
			require.NotEmpty(t, e.Details["provider_message"])
		}
	}
}

func TestAnErrorWithinAnAnswerIsSortedLikeOthers(t *testing.T) {
	t.Parallel()
	for body, code := range map[string]string{
		`{"error":{"message":"The response was filtered","code":"content_filter"}}`:                                                "CONTENT_FILTERED",
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`:                                              "",
		`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`: "CONTEXT_TOO_LONG",
		`{"type":"error","error":{"type":"api_error","message":"Internal server error"}}`:                                          "",
		`{"error":{"message":"Insufficient credits","code":402}}`:                                                                  "MODEL_QUOTA",
		`{"error":{"message":"Provider disconnected","code":502}}`:                                                                 "",
		`{"error":{"message":"slow down","type":"rate_limit_error"}}`:                                                              "",
		`{"object":"error","message":"This model's maximum context length is 32768 tokens.","type":"BadRequestError","code":400}`:  "CONTEXT_TOO_LONG",
		`{"error":{"message":"bad request","type":"BadRequestError","code":400}}`:                                                  "MODEL_REJECTED",
		`{"error":"something"}`: "",
		`{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`: "MODEL_QUOTA",
		`{"id":"chatcmpl-1","x_groq":{"error":"over capacity"}}`:                                                          "",
		`{"error":{"type":"authentication_error","message":"invalid x-api-key"}}`:                                         "MODEL_CREDENTIALS",
		`{"error":{"message":"The model does not exist","type":"NotFoundError"}}`:                                         "MODEL_NOT_FOUND",
	} {
		err := modelerror.Refusal{Provider: "openai", Status: 200, Body: []byte(body)}.Err()
		require.ErrorContains(t, err, "openai ended its answer with an error")
		require.Equal(t, code != "", ports.PermanentModelFailure(err), body)
		if code != "" {
			require.Equal(t, code, fail.From(err).Code, body)
			require.NotContains(t, fail.From(err).Details, "status")
		}
	}
}

func TestARefusalThatMayPassSaysWhen(t *testing.T) {
	t.Parallel()
	err := modelerror.Refusal{Provider: "openai", Status: 429, Body: []byte(`{"error":{"code":"rate_limit_exceeded"}}`), RetryAfter: 20 * time.Second}.Err()
	require.Equal(t, 20*time.Second, fail.From(err).RetryAfter)
	require.EqualError(t, errors.Unwrap(errors.Unwrap(err)), "DOWNSTREAM_UNAVAILABLE: a service behind this one does not answer: try again shortly: openai answered 429 rate_limit_exceeded")
}

func TestTheWindowIsReadFromWhatProvidersSay(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"OpenAI, too long": 8192, "OpenAI, tokens over the limit": 272000, "Anthropic, too long": 200000, "Anthropic, too long together": 200000,
		"Mistral, too long": 32768, "Together, too long": 4097, "xAI, too long": 131072, "vLLM, too long": 32768, "llama.cpp, too long": 8192,
		"llama.cpp, too long, formerly": 256, "Gemini, too long": 1048576, "Yandex, too long": 32768,
		"Groq, too long": 0, "OpenAI, one request too large": 0, "Anthropic, too large": 0,
	}
	for name, window := range want {
		e := fail.From(modelerror.Refusal{Status: refusals()[name].status, Body: []byte(refusals()[name].body)}.Err())
		have, _ := e.Details["window"].(int)
		require.Equal(t, window, have, name)
	}
}

func TestWhatIsShownOfAProvidersWordsHasNoSecrets(t *testing.T) {
	t.Parallel()
	const key = "my very own key"
	shown := func(r modelerror.Refusal) any {
		r.Key = key
		err := r.Err()
		for _, secret := range []string{key, "abcd", "10.0.0.7", "internal.example.com", "ada@example.com"} {
			require.NotContains(t, err.Error(), secret)
		}
		return fail.From(err).Details["provider_message"]
	}
	body := func(message string) []byte {
		return []byte(`{"error":{"code":"x","message":"` + message + `"}}`)
	}
	for message, want := range map[string]any{
		"no: my very own key":                                                   "no: [removed]",
		"Incorrect key sk-proj-********abcd here":                               "Incorrect key [removed] here",
		"Incorrect key sk-ab...abcd, wait... no":                                "Incorrect key [removed], wait... no",
		"Bearer abcdefgh is wrong":                                              "[removed] is wrong",
		"dial http://internal.example.com:80/v1?k=abcd: refused":                "dial [removed] refused",
		"connect 10.0.0.7:8080 or ada@example.com or internal.example.com":      "connect [removed] or [removed] or [removed]",
		"key AIzaSyA1234567890abcdefghijkl and a1b2c3d4e5f6a7b8c9d0e1f2":        "key [removed] and [removed]",
		"in organization org-abc123def on 16f2151a-40f4-4a80-8ad0-cae00c27e8dd": "in organization [removed] on [removed]",
		"two\\nlines\\u0000 \\u001b[31m and \\u202e":                            "two lines [31m and",
		"The model claude-sonnet-4-5-20250929 has a context_length of 8192":     "The model claude-sonnet-4-5-20250929 has a context_length of 8192",
		"it says: the question of the user, all of it":                          nil,
		"": nil,
	} {
		r := modelerror.Refusal{Status: 400, Body: body(message), Prompt: ports.Prompt{Content: "the question of the user"}}
		require.Equal(t, want, shown(r), message)
	}
	long, _ := shown(modelerror.Refusal{Status: 400, Body: body(strings.Repeat("long ", 1000))}).(string)
	require.Len(t, []rune(long), 300)
	secret := "the customer lives at 5 Long Street"
	for _, step := range []domain.Step{
		{Text: secret}, {Results: []domain.ToolResult{{Text: secret}}}, {Calls: []domain.ModelCall{{Arguments: []byte(`"` + secret + `"`)}}},
	} {
		p := ports.Prompt{Steps: []domain.Step{step}}
		require.Nil(t, shown(modelerror.Refusal{Status: 400, Body: body(`cannot parse \"` + secret + `\"`), Prompt: p}))
		p = ports.Prompt{Asked: ports.Asked{History: []domain.Message{{Steps: p.Steps}}}}
		require.Nil(t, shown(modelerror.Refusal{Status: 400, Body: body(`cannot parse \"` + secret + `\"`), Prompt: p}))
	}
	require.Nil(t, shown(modelerror.Refusal{
		Status: 400, Body: body("instruction: be very kind to all"), Prompt: ports.Prompt{Pinned: &domain.Pinned{Instruction: "be very kind to all"}},
	}))
}

func TestOfTheOperatorsAccountNothingIsShown(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 402, 403} {
		body := []byte(`{"error":{"code":"x","message":"the account of Acme is wrong"}}`)
		require.NotContains(t, fail.From(modelerror.Refusal{Status: status, Body: body}.Err()).Details, "provider_message")
		require.Contains(t, fail.From(modelerror.Refusal{Status: status, Body: body, Own: true}.Err()).Details, "provider_message")
	}
	require.Contains(t, fail.From(modelerror.Refusal{Status: 400, Body: []byte(`{"message":"top_p is wrong"}`)}.Err()).Details, "provider_message")
}

func TestAnAddressThatMayBeWrongIsSaidToBe(t *testing.T) {
	t.Parallel()
	wrong := []string{"OpenAI, a wrong path", "Azure, a wrong path", "vLLM, a wrong path", "a path that takes no POST", "a redirection"}
	for name, test := range refusals() {
		details := fail.From(modelerror.Refusal{Status: test.status, Body: []byte(test.body), Own: true}.Err()).Details
		require.Equal(t, slices.Contains(wrong, name), details["hint"] != nil, name)
	}
}

func TestAServerThatTakesNoImagesIsSaidToTakeNone(t *testing.T) {
	t.Parallel()
	p := ports.Prompt{Images: []domain.Image{{MediaType: "image/png", Data: []byte("x")}}}
	for name, test := range map[string]struct {
		status int
		body   string
		none   bool
	}{
		"OpenAI":      {400, `{"error":{"message":"Invalid content type. image_url is only supported by certain models.","type":"invalid_request_error","param":"messages.[0].content.[1].type"}}`, true},
		"vLLM":        {400, `{"object":"error","message":"mistralai/Mistral-7B is not a multimodal model","type":"BadRequestError","code":400}`, true},
		"llama.cpp":   {500, `{"error":{"code":500,"message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj","type":"server_error"}}`, true},
		"OpenRouter":  {404, `{"error":{"message":"No endpoints found that support image input","code":404}}`, true},
		"DeepSeek":    {400, "{\"error\":{\"message\":\"Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text`\",\"type\":\"invalid_request_error\"}}", true},
		"Groq":        {400, `{"error":{"message":"messages[0].content must be a string","type":"invalid_request_error"}}`, true},
		"Mistral":     {400, `{"object":"error","message":"Image input is not enabled for this model","type":"invalid_request_invalid_args"}`, true},
		"Anthropic":   {400, `{"type":"error","error":{"type":"invalid_request_error","message":"'claude-2.1' does not support image input."}}`, true},
		"a bad image": {400, `{"type":"error","error":{"type":"invalid_request_error","message":"Could not process image"}}`, false},
		"too long":    {400, `{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}`, false},
		"a proxy":     {502, `Bad Gateway`, false},
	} {
		refusal := modelerror.Refusal{Provider: "openai", Status: test.status, Body: []byte(test.body), Prompt: p}
		err := refusal.Err()
		require.Equal(t, test.none, errors.Is(err, ports.ErrImagesUnsupported), name)
		refusal.Prompt.Images = nil
		require.NotErrorIs(t, refusal.Err(), ports.ErrImagesUnsupported, name)
		if test.none {
			require.True(t, ports.PermanentModelFailure(err), name)
			require.Equal(t, []any{"MODEL_REJECTED", "IMAGES_UNSUPPORTED"}, []any{fail.From(err).Code, fail.From(err).Details["reason"]}, name)
		}
	}
}
