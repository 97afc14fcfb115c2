package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
)

// profileSets are those that make up, down and status are called with.
var profileSets = [][]string{{"infra"}, {"app"}, {"infra", "app"}}

func lintCompose(ctx context.Context, path string) (problems []string) {
	logrus.SetLevel(logrus.ErrorLevel)
	for _, profiles := range profileSets {
		say := func(text string) {
			if p := path + ": " + text; !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
		options, err := cli.NewProjectOptions([]string{path}, cli.WithProfiles(profiles), cli.WithResolvedPaths(true))
		if err != nil {
			return []string{err.Error()}
		}
		project, err := options.LoadProject(ctx)
		if err != nil {
			say(fmt.Sprintf("profiles %v: %v", profiles, err))
			continue
		}
		if len(project.Services) == 0 {
			say(fmt.Sprintf("profiles %v: no service", profiles))
		}
		once := map[string]bool{} // services that end
		for _, s := range project.Services {
			for name, d := range s.DependsOn {
				once[name] = once[name] || d.Condition == types.ServiceConditionCompletedSuccessfully
				if d.Condition == types.ServiceConditionStarted {
					say(s.Name + " does not wait until " + name + " is healthy")
				}
			}
		}
		ports, ours := map[string]string{}, map[string]bool{}
		for _, s := range project.Services {
			ours[s.Image] = ours[s.Image] || s.Build != nil
		}
		for _, s := range project.Services {
			lintService(s, once[s.Name], ports, say)
			if ours[s.Image] {
				lintOurs(s, say)
			}
		}
	}
	return problems
}

func lintService(s types.ServiceConfig, once bool, ports map[string]string, say func(string)) {
	if s.Build == nil && !pinned(s.Image) {
		say("the image of " + s.Name + " has no version: " + s.Image)
	}
	if !once && (s.HealthCheck == nil || s.HealthCheck.Disable) {
		say(s.Name + " has no health check")
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			say(s.Name + " is open to the network: " + p.Published)
		}
		if other, ok := ports[p.Published]; ok {
			say(s.Name + " and " + other + " both want port " + p.Published)
		}
		ports[p.Published] = s.Name
	}
	for name, value := range s.Environment {
		if value != nil && strings.Contains(*value, "${") {
			say(s.Name + ": " + name + " was not filled in: " + *value)
		}
	}
}

// lintOurs looks at a service that runs the image that is built here.
func lintOurs(s types.ServiceConfig, say func(string)) {
	if s.Build != nil {
		if _, err := os.Stat(s.Build.Context); err != nil {
			say(s.Name + ": " + err.Error())
		}
	}
	if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		say(s.Name + " may do more than it has to: read_only, cap_drop, security_opt")
	}
}
