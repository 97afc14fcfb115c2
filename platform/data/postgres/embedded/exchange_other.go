//go:build !linux

package embedded

// exchange swaps the names of two folders.
func exchange(a, b string) error { return exchangeByRename(a, b) }
