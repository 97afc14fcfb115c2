// Package conversations is the face of the conversations module: threads, messages, turns. No other module needs
// anything of it yet, so the face is bare.
package conversations
