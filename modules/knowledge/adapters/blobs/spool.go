package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parley/parley/modules/knowledge/ports"
)

// Spool copies the bytes of files to temporary files.
type Spool struct {
	Bytes Bytes
	Dir   string // empty: that of the system
}

var _ ports.Spool = Spool{}

func (s Spool) Open(ctx context.Context, k ports.BytesKey) (_ ports.SpooledFile, err error) {
	content, err := s.Bytes.Open(ctx, k, 0)
	if errors.Is(err, ports.ErrFileNotFound) {
		return nil, ports.ErrContentMissing
	}
	if err != nil {
		return nil, err
	}
	defer content.Close()
	file, err := os.CreateTemp(s.Dir, "parley-document-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	_ = os.Remove(file.Name()) // it is there until it is closed, also where this process is killed
	if _, err := io.Copy(file, content); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the file: %w", err), file.Close())
	}
	return file, nil
}
