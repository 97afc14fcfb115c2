package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
)

// profileSets are those that make up, down and status are called with.
var profileSets = [][]string{{"infra"}, {"app"}, {"infra", "app"}}

// required finds the variables without which compose.yaml cannot be used: ${NAME:?…}.
var required = regexp.MustCompile(`\$\{([A-Z_]+):\?`)

// withDefault finds the variables that have a default which is not empty.
var withDefault = regexp.MustCompile(`\$\{([A-Z_]+):?-[^}]`)

// secretName is that of a variable in which a service gets a password or key.
var secretName = regexp.MustCompile(`PASSWORD|SECRET|API_KEY|AUTH|TOKEN|_URL$`)

// given is what the required variables are set to here; it must not be part of anything else in compose.yaml.
const given = "a-password-of-dockerlint"

func lintCompose(ctx context.Context, path string) (problems []string) {
	logrus.SetLevel(logrus.PanicLevel)
	text, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	var variables []string
	for _, match := range required.FindAllStringSubmatch(string(text), -1) {
		if v := match[1] + "=" + given; !slices.Contains(variables, v) {
			variables = append(variables, v)
		}
	}
	for _, match := range withDefault.FindAllStringSubmatch(string(text), -1) {
		if secretName.MatchString(match[1]) {
			problems = append(problems, path+": "+match[1]+" has a default")
		}
	}
	load := func(profiles, variables []string) (*types.Project, error) {
		options, err := cli.NewProjectOptions([]string{path},
			cli.WithProfiles(profiles), cli.WithResolvedPaths(true), cli.WithEnv(variables))
		if err != nil {
			return nil, err
		}
		return options.LoadProject(ctx)
	}
	for i, v := range variables {
		name, _, _ := strings.Cut(v, "=")
		_, err := load([]string{"infra", "app"}, slices.Delete(slices.Clone(variables), i, i+1))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "make up") {
			problems = append(problems, fmt.Sprintf("%s: without %s the error names neither it nor make up: %v", path, name, err))
		}
	}
	for _, profiles := range profileSets {
		say := func(text string) {
			if p := path + ": " + text; !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
		project, err := load(profiles, variables)
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
			lintService(s, once[s.Name], ours[s.Image], ports, say)
			if ours[s.Image] {
				lintOurs(s, say)
			}
		}
	}
	return problems
}

func lintService(s types.ServiceConfig, once, ours bool, ports map[string]string, say func(string)) {
	if !ours && !pinned(s.Image) {
		say("the image of " + s.Name + " has no version or no digest: " + s.Image)
	}
	if !once && (s.HealthCheck == nil || s.HealthCheck.Disable) {
		say(s.Name + " has no health check")
	}
	if s.MemLimit == 0 || s.CPUS == 0 || s.PidsLimit == 0 {
		say(s.Name + " has no limits: mem_limit, cpus, pids_limit")
	}
	if !once && s.Restart == "" {
		say(s.Name + " is not restarted")
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
		if value == nil || *value == "" {
			continue
		}
		if strings.Contains(*value, "${") {
			say(s.Name + ": " + name + " was not filled in: " + *value)
		}
		if u, err := url.Parse(*value); err == nil && u.Host != "" && u.User == nil {
			continue // an address without a password
		}
		if secretName.MatchString(name) && !strings.Contains(*value, given) {
			say(s.Name + ": " + name + " has a default")
		}
	}
}

// lintOurs checks a service that runs the image that is built here.
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
