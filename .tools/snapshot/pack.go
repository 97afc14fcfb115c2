package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// manifest is what the test of the upgrade reads: who has logged in, what was made, and how many rows each table has.
type manifest struct {
	Version  string            `json:"version"`
	MadeAt   time.Time         `json:"made_at"`
	Settings map[string]string `json:"settings"`

	Email        string `json:"email"`
	Password     string `json:"password"`
	Workspace    string `json:"workspace"`
	Access       string `json:"access_token"`
	Refresh      string `json:"refresh_token"`
	Key          string `json:"api_key"`
	Thread       string `json:"thread"`
	File         string `json:"file"`
	Content      string `json:"file_content"`
	Endpoint     string `json:"endpoint"`
	Secret       string `json:"endpoint_secret"`
	Conversation string `json:"conversation"`

	Answers map[string]json.RawMessage `json:"answers"` // of GET, by path
	Rows    map[string]int             `json:"rows"`    // of each table that has any
	Empty   []string                   `json:"empty"`   // tables without rows
}

// pack writes the archive, in the same order and with the same times for the same content.
func pack(path string, m manifest, dump, files string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // sources
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	packed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	add := func(name string, content []byte) error {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: m.MadeAt}); err != nil {
			return err
		}
		_, err := archive.Write(content)
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(add("manifest.json", text), add("database.sql", []byte(dump)))
	err = errors.Join(err, filepath.WalkDir(files, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(files, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return add("files/"+name, content)
	}))
	return errors.Join(err, archive.Close(), packed.Close())
}
