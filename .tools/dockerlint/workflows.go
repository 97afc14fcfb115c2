package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// workflow is what is checked of a workflow of GitHub Actions.
type workflow struct {
	Permissions *map[string]string
	Jobs        map[string]struct {
		Permissions *map[string]string
		Services    map[string]struct{ Image string }
		Steps       []struct {
			Uses string
			With map[string]any
		}
	}
}

// action is a step's action by the hash of a commit, with the version that it is in a comment.
var action = regexp.MustCompile(`^\s*(?:- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$`)

// mayWrite are the rights that a workflow needs beyond reading.
var mayWrite = map[string][]string{"release.yml": {"contents", "packages", "attestations", "id-token"}}

// lintWorkflows checks that actions and images are named by hash, and that neither a workflow nor a job may do more than
// read, or what mayWrite has.
func lintWorkflows(folder string) (problems []string) {
	files, err := filepath.Glob(filepath.Join(folder, "*.y*ml"))
	if err != nil || len(files) == 0 {
		return []string{fmt.Sprintf("%s: no workflow: %v", folder, err)}
	}
	for _, file := range files {
		problems = append(problems, lintWorkflow(file)...)
	}
	return problems
}

func lintWorkflow(file string) (problems []string) {
	say := func(format string, values ...any) {
		problems = append(problems, file+": "+fmt.Sprintf(format, values...))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	line := 0
	for text := range strings.Lines(string(text)) {
		line++
		if text = strings.TrimRight(text, "\n"); strings.Contains(text, "uses:") && !action.MatchString(text) {
			say("line %d: an action is named by the hash of a commit, with its version in a comment: %s", line, strings.TrimSpace(text))
		}
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		return append(problems, file+": "+err.Error())
	}
	if w.Permissions == nil || len(*w.Permissions) > 0 {
		say("permissions: {} is missing at the top, so that each job states its own")
	}
	for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
		job := w.Jobs[name]
		if job.Permissions == nil {
			say("the job %s states no permissions", name)
		} else {
			for scope, right := range *job.Permissions {
				if right != "read" && right != "none" && !slices.Contains(mayWrite[filepath.Base(file)], scope) {
					say("the job %s has %s: %s", name, scope, right)
				}
			}
		}
		for service, s := range job.Services {
			if !pinned(s.Image) {
				say("the image of %s in the job %s has no version or no digest: %s", service, name, s.Image)
			}
		}
		for _, step := range job.Steps {
			if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
				say("the job %s leaves its token in the checkout: persist-credentials: false", name)
			}
		}
	}
	return problems
}
