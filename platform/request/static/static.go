// Package static serves files that are in the binary: compressed once, and with an ETag of their content.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// File is a file in the binary, compressed. It is safe for concurrent use.
type File struct {
	kind   string // media type
	tag    string // of the content
	packed []byte // gzip
	// plain unpacks the file once: a copy for each request would let slow clients fill the memory.
	plain func() ([]byte, error)
}

// New returns a file of a content that is not compressed. kind is its media type.
func New(kind string, content []byte) File {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a good one
	_, _ = w.Write(content)                                    // a buffer takes everything
	_ = w.Close()
	f := Packed(kind, packed.Bytes())
	f.plain = func() ([]byte, error) { return content, nil }
	return f
}

// Packed returns a file of a content that is compressed by gzip already. kind is its media type.
func Packed(kind string, packed []byte) File {
	sum := sha256.Sum256(packed)
	return File{kind: kind, tag: hex.EncodeToString(sum[:8]), packed: packed, plain: sync.OnceValues(func() ([]byte, error) { return gunzip(packed) })}
}

// WithKind returns the file with another media type.
func (f File) WithKind(kind string) File {
	f.kind = kind
	return f
}

// Serve sends the file, compressed only to clients that accept gzip. The caller has set Cache-Control and
// Content-Security-Policy.
func (f File) Serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Add("Vary", "Accept-Encoding")
	content, tag := f.packed, f.tag
	if acceptsGzip(r) {
		tag += "-gzip"
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(content))) // ServeContent does not set it where there is an encoding
	} else {
		var err error
		if content, err = f.plain(); err != nil {
			return fmt.Errorf("unpack a file: %w", err)
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	return nil
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, weighted := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		_, value, _ := strings.Cut(weight, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return !weighted || err == nil && q > 0
	}
	return false
}

func gunzip(content []byte) ([]byte, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}
