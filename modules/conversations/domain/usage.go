package domain

// Usage is what calls of models have used. What is nil is not known.
type Usage struct {
	InputTokens   *int
	OutputTokens  *int
	CachedTokens  *int   // of the input
	CostMicros    *int64 // in millionths of the currency of the prices
	ChargedMicros *int64 // of the cost, what was asked with the operator's keys: it counts towards the workspace's limit
	Estimated     bool   // some of it the provider did not report: it is an estimate from the texts
}

// Plus is the usage together with that of another call.
func (u Usage) Plus(more Usage) Usage {
	return Usage{
		InputTokens: sum(u.InputTokens, more.InputTokens), OutputTokens: sum(u.OutputTokens, more.OutputTokens),
		CachedTokens: sum(u.CachedTokens, more.CachedTokens), CostMicros: sum(u.CostMicros, more.CostMicros),
		ChargedMicros: sum(u.ChargedMicros, more.ChargedMicros), Estimated: u.Estimated || more.Estimated,
	}
}

// sum adds what is known; nil where neither is.
func sum[N int | int64](a, b *N) *N {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return new(*a + *b)
}

// maxTokens is far beyond any window, and so small that what it costs can be counted.
const maxTokens = 1_000_000_000

// Believable is the usage without counts of tokens that cannot be: a server may send anything, and they count towards limits.
func (u Usage) Believable() Usage {
	for _, n := range []**int{&u.InputTokens, &u.OutputTokens, &u.CachedTokens} {
		if *n != nil && (**n < 0 || **n > maxTokens) {
			*n = nil
		}
	}
	return u
}

// bytesPerToken is a careful guess. Providers do not agree on what a token is, and most do not say how they count: English
// has about four bytes a token, Russian and Chinese three to six, code and numbers about three.
const bytesPerToken = 3

// TokensOf estimates how many tokens a text of so many bytes is.
func TokensOf(bytes int) int { return (bytes + bytesPerToken - 1) / bytesPerToken }

// BytesOf is how long a text of so many tokens is estimated to be.
func BytesOf(tokens int) int { return tokens * bytesPerToken }
