package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// connection speaks as much HTTP/1.1 with keep-alive as is needed to measure: the client shares two cores with what it
// measures, and net/http's would cost about as much as the server.
type connection struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("reach the program: %w", err)
	}
	return &connection{conn, bufio.NewReaderSize(conn, 32<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// callTimeout is the timeout of one response.
const callTimeout = 30 * time.Second

// do sends a request and reads the body of the response into into; nil discards it.
func (c *connection) do(request []byte, into io.Writer) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	status, err := c.line()
	if err != nil {
		return err
	}
	if len(status) < 12 || !bytes.HasPrefix(status, []byte("HTTP/1.1 ")) {
		return fmt.Errorf("no HTTP answer: %q", status)
	}
	good := status[9] == '2'
	var refusal bytes.Buffer
	if !good {
		fmt.Fprintf(&refusal, "%s: ", status)
		into = &refusal
	}
	if err := c.body(into); err != nil {
		return err
	}
	if !good {
		return errors.New(refusal.String())
	}
	return nil
}

// body reads the headers and what they announce.
func (c *connection) body(into io.Writer) error {
	length, chunked := int64(-1), false
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(": ")); string(name) {
		case "Content-Length":
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return err
			}
		case "Transfer-Encoding":
			chunked = string(value) == "chunked"
		}
	}
	if !chunked {
		if length < 0 {
			return errors.New("an answer without a length")
		}
		return c.copy(into, length)
	}
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return err
		}
		if err := c.copy(into, size); err != nil {
			return err
		}
		if _, err := c.line(); err != nil || size == 0 {
			return err
		}
	}
}

func (c *connection) copy(into io.Writer, n int64) error {
	if into == nil {
		_, err := c.r.Discard(int(n))
		return err
	}
	_, err := io.CopyN(into, c.r, n)
	return err
}

func (c *connection) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// once makes one call on a connection of its own.
func once(ctx context.Context, address string, request []byte) error {
	_, err := fetch(ctx, address, request)
	return err
}

// fetch makes one call on a new connection and returns the body of the response.
func fetch(ctx context.Context, address string, request []byte) ([]byte, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	err = c.do(request, &body)
	return body.Bytes(), err
}
