package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// offline resolves every base image without data, and makes no request to a registry.
type offline struct{}

func (offline) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config, err := json.Marshal(ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
	return ref, digest.FromString(ref), config, err
}

func lintDockerfile(ctx context.Context, path string) (problems []string) {
	say := func(line int32, text string) { problems = append(problems, fmt.Sprintf("%s:%d: %s", path, line, text)) }
	source, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	sources := llb.NewSourceMap(nil, path, "Dockerfile", source)
	sources.Definition = &llb.Definition{} // of a build context, which there is none of
	results, err := dockerfile2llb.DockerfileLint(ctx, source, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{LinterConfig: &linter.Config{ExperimentalAll: true}},
		SourceMap:      sources,
		TargetPlatform: &ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		MetaResolver:   offline{},
	})
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", path, err)}
	}
	for _, w := range results.Warnings {
		line := int32(0)
		if ranges := w.Location.GetRanges(); len(ranges) > 0 {
			line = ranges[0].GetStart().GetLine()
		}
		say(line, w.RuleName+": "+w.Detail)
	}
	if results.Error != nil {
		say(0, results.Error.Message)
		return problems
	}
	tree, err := parser.Parse(bytes.NewReader(source))
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", path, err)}
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", path, err)}
	}
	for _, s := range stages {
		if !pinned(s.BaseName) {
			say(int32(s.Location[0].Start.Line), "the image "+s.BaseName+" has no version or no digest")
		}
	}
	has := map[string]bool{}
	for _, command := range stages[len(stages)-1].Commands {
		if c, ok := command.(*instructions.CopyCommand); ok && c.From != "" && !pinned(c.From) {
			if _, found := instructions.HasStage(stages, c.From); !found {
				say(int32(c.Location()[0].Start.Line), "there is no stage "+c.From)
			}
		}
		has[strings.ToUpper(command.Name())] = true
		if user, ok := command.(*instructions.UserCommand); ok && (user.User == "root" || strings.HasPrefix(user.User, "0")) {
			say(int32(user.Location()[0].Start.Line), "the program runs as root")
		}
	}
	for _, name := range []string{"USER", "HEALTHCHECK", "VOLUME", "EXPOSE", "ENTRYPOINT"} {
		if !has[name] {
			say(0, "the last stage has no "+name)
		}
	}
	return problems
}

var withDigest = regexp.MustCompile(`^[^@]+:([^@:/]+)@sha256:[0-9a-f]{64}$`)

// pinned reports whether an image is named with a tag other than latest, for people, and with a digest.
func pinned(image string) bool {
	match := withDigest.FindStringSubmatch(image)
	return match != nil && match[1] != "latest"
}
