package main

import (
	"context"
	"path/filepath"
	"time"
)

// fill adds the handbook in other languages until there are so many chunks.
func (b *bench) fill(ctx context.Context, chunks int) error {
	languages, err := filepath.Glob(filepath.Join(b.docs, "debian-handbook/html", "*"))
	if err != nil {
		return err
	}
	for round := 0; ; round++ {
		for _, path := range languages {
			name := filepath.Base(path)
			if name == "en-US" || name == "ru-RU" {
				continue
			}
			began := time.Now()
			if err := b.handbook(ctx, name, round); err != nil {
				return err
			}
			if err := b.indexed(ctx, began); err != nil {
				return err
			}
			if n, err := b.chunks(ctx); err != nil || n >= chunks {
				return err
			}
		}
	}
}

// fillAnother fills the workspace of another user with the handbook in all languages.
func (b *bench) fillAnother(ctx context.Context, chunks int) error {
	other := bench{client: &client{url: b.url}, docs: b.docs}
	user, err := other.post(ctx, "/v1/auth/register", map[string]any{"email": "other@example.com", "password": "correct horse battery", "workspace_name": "Other"})
	if err != nil {
		return err
	}
	other.token = user["access_token"].(string)
	if err := other.makeBase(ctx); err != nil {
		return err
	}
	for _, language := range []string{"en-US", "ru-RU"} {
		if err := other.handbook(ctx, language, 0); err != nil {
			return err
		}
	}
	return other.fill(ctx, chunks)
}
