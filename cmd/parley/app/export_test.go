package app

import (
	"context"
	"log/slog"

	"github.com/parley/parley/platform/ops/backup"
	"github.com/parley/parley/platform/ops/config"
)

// What the black-box tests of this folder need from within.
var (
	InTime     = inTime
	HealthURL  = healthURL
	NewCommand = newCommand
)

type (
	Finding = finding
	State   = state
)

const (
	Fine        = fine
	Warning     = warning
	Broken      = broken
	LastAnswers = lastAnswers
	StopTimeout = stopTimeout
)

// BackUp writes the data and the files of a database into a backup, and calls meanwhile while it lists the files.
func BackUp(ctx context.Context, cfg *config.Config, url string, w *backup.Writer, m *backup.Manifest, meanwhile func()) error {
	var closing closers
	files, err := openFiles(ctx, cfg, guards(slog.New(slog.DiscardHandler), nil), &closing)
	if err != nil {
		return err
	}
	defer func() { _ = closing.close() }()
	return backupDataAndFiles(ctx, cfg, &database{direct: url}, visited{files.Store, meanwhile}, w, m)
}
