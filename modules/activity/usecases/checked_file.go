package usecases

import (
	"errors"
	"hash"
	"io"

	"github.com/parley/parley/modules/activity/ports"
)

// checkedFile reads the bytes of a file from an archive. Where they are not those of its row, it returns ErrArchive in place of
// io.EOF, and never more bytes than the row says.
type checkedFile struct {
	content io.ReadCloser
	sum     hash.Hash
	file    ports.FileBytes
	read    int64
}

func (c *checkedFile) Read(p []byte) (int, error) {
	n, err := c.content.Read(p)
	c.read += int64(n)
	if c.read > c.file.Size {
		return 0, refused("the file %s is larger than its row says", c.file.ID)
	}
	c.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && (c.read != c.file.Size || digest(c.sum) != c.file.SHA256) {
		return n, refused("the bytes of the file %s are not those of its row", c.file.ID)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, refused("the bytes of the file %s cannot be read: %v", c.file.ID, err)
	}
	return n, err
}

// Close closes the entry.
func (c *checkedFile) Close() error { return c.content.Close() }
