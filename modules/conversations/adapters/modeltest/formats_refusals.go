package modeltest

import "time"

// refusalFormats are HTTP answers that are failures which may pass.
func refusalFormats() map[string]Format {
	refuses := func(api string, status int, wait time.Duration, body string, header ...string) Format {
		f := Format{API: api, Status: status, Header: map[string]string{"Content-Type": "application/json"}, Frames: []string{body}, Want: Want{Fails: true, Wait: wait}}
		for i := 0; i+1 < len(header); i += 2 {
			f.Header[header[i]] = header[i+1]
		}
		return f
	}
	const (
		limited    = `{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
		azure      = `{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second."}}`
		overloaded = `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}`
		page       = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	)
	return map[string]Format{
		"retry-after-seconds":     refuses("openai", 429, 20*time.Second, limited, "Retry-After", "20"),
		"retry-after-date":        refuses("openai", 503, 24*time.Hour, limited, "Retry-After", "Wed, 01 Jan 2098 00:00:00 GMT"),
		"retry-after-fraction":    refuses("openai", 429, 7660*time.Millisecond, limited, "Retry-After", "7.66"), // Groq
		"azure-retry-after-ms":    refuses("openai", 429, 820*time.Millisecond, azure, "Retry-After", "1", "Retry-After-Ms", "820"),
		"html-502":                refuses("openai", 502, 0, page, "Content-Type", "text/html"),
		"no-body-503":             refuses("openai", 503, 0, ""),
		"anthropic-html-502":      refuses("anthropic", 502, 0, page, "Content-Type", "text/html"),
		"anthropic-overloaded":    refuses("anthropic", 529, 0, overloaded),
		"anthropic-overloaded-30": refuses("anthropic", 529, 30*time.Second, overloaded, "Retry-After", "30"),
		"anthropic-retry-after":   refuses("anthropic", 429, 20*time.Second, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your rate limit"}}`, "Retry-After", "20"),
	}
}
