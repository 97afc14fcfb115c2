package main

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// private are files that must not reach the builder.
var private = []string{".env", ".env.local", ".git/config", ".parley/secret-key", "bin/parley"}

// lintIgnored compares what the Dockerfile copies with what .dockerignore leaves of the folder.
func lintIgnored(dockerfile, ignore string) (problems []string) {
	matcher, err := readIgnored(ignore)
	if err != nil {
		return []string{err.Error()}
	}
	ignored := func(name string) bool {
		is, err := matcher.MatchesOrParentMatches(name)
		return err == nil && is
	}
	for _, name := range private {
		if !ignored(name) {
			problems = append(problems, fmt.Sprintf("%s: %s is sent to the builder", ignore, name))
		}
	}
	file, err := os.Open(dockerfile)
	if err != nil {
		return append(problems, err.Error())
	}
	defer file.Close()
	tree, err := parser.Parse(file)
	if err != nil {
		return append(problems, err.Error())
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return append(problems, err.Error())
	}
	for _, stage := range stages {
		for _, command := range stage.Commands {
			c, ok := command.(*instructions.CopyCommand)
			if !ok || c.From != "" {
				continue
			}
			for _, source := range c.SourcePaths {
				source = strings.TrimPrefix(path.Clean(source), "/")
				if _, err := os.Stat(source); err != nil || ignored(source) {
					problems = append(problems, fmt.Sprintf("%s: %s is copied, and is not there or not sent to the builder", dockerfile, source))
				}
			}
		}
	}
	return problems
}

func readIgnored(name string) (*patternmatcher.PatternMatcher, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return patternmatcher.New(patterns)
}
