package domain

// Usage is the usage of model calls. A nil field is unknown.
type Usage struct {
	InputTokens   *int
	OutputTokens  *int
	CachedTokens  *int   // of the input
	CostMicros    *int64 // in millionths of the currency of the prices
	ChargedMicros *int64 // the part of the cost at the operator's keys, which counts towards the workspace's limit
	Estimated     bool   // the provider did not report some of it: that part is an estimate from the texts
}

// Plus returns the usage together with that of another call.
func (u Usage) Plus(more Usage) Usage {
	return Usage{
		InputTokens: sum(u.InputTokens, more.InputTokens), OutputTokens: sum(u.OutputTokens, more.OutputTokens),
		CachedTokens: sum(u.CachedTokens, more.CachedTokens), CostMicros: sum(u.CostMicros, more.CostMicros),
		ChargedMicros: sum(u.ChargedMicros, more.ChargedMicros), Estimated: u.Estimated || more.Estimated,
	}
}

// sum adds the known numbers; nil where neither is known.
func sum[N int | int64](a, b *N) *N {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return new(*a + *b)
}

// maxTokens is far more than any context window, and small enough that its cost does not overflow.
const maxTokens = 1_000_000_000

// Believable returns the usage without impossible counts of tokens. A server may send anything, and the counts apply to
// limits.
func (u Usage) Believable() Usage {
	for _, n := range []**int{&u.InputTokens, &u.OutputTokens, &u.CachedTokens} {
		if *n != nil && (**n < 0 || **n > maxTokens) {
			*n = nil
		}
	}
	return u
}

// bytesPerToken is a conservative estimate. Providers differ in what a token is, and most do not document how they
// count: English has about four bytes a token, Russian and Chinese three to six, code and numbers about three.
const bytesPerToken = 3

// TokensOf estimates the tokens of a text from its bytes.
func TokensOf(bytes int) int { return (bytes + bytesPerToken - 1) / bytesPerToken }

// BytesOf estimates the bytes of a text from its tokens.
func BytesOf(tokens int) int { return tokens * bytesPerToken }
