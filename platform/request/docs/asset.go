package docs

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

// asset is a file of the site, compressed. plain unpacks it, once: a copy a request would be memory for the asking.
type asset struct {
	kind   string // media type
	tag    string // of the content
	packed []byte // gzip
	plain  func() ([]byte, error)
}

// newAsset makes an asset of a file that is not compressed.
func newAsset(kind string, content []byte) asset {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a good one
	_, _ = w.Write(content)                                    // a buffer takes everything
	_ = w.Close()
	a := packedAsset(kind, packed.Bytes())
	a.plain = func() ([]byte, error) { return content, nil }
	return a
}

// packedAsset makes an asset of a file that is compressed already.
func packedAsset(kind string, packed []byte) asset {
	sum := sha256.Sum256(packed)
	return asset{kind: kind, tag: hex.EncodeToString(sum[:8]), packed: packed, plain: sync.OnceValues(func() ([]byte, error) { return gunzip(packed) })}
}

// serve sends the file, compressed only to those who take it so. It is asked for anew each time and sent when changed:
// a page and a script of two versions of the program must not meet.
func (a asset) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", a.kind)
	h.Add("Vary", "Accept-Encoding")
	content, tag := a.packed, a.tag
	if acceptsGzip(r) {
		tag += "-gzip"
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(content))) // ServeContent leaves it to us where there is an encoding
	} else {
		var err error
		if content, err = a.plain(); err != nil {
			return fmt.Errorf("unpack a page of the documentation: %w", err)
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
