// Command dockerlint checks Dockerfile, .dockerignore, compose.yaml and the GitHub workflows without a container
// engine. It checks Dockerfile with the rules of `docker build --check`, which are those of BuildKit, and compose.yaml
// with the loader of docker compose, for every profile. It also applies rules of Parley: images and actions are named
// by digest, no service has a default password, no secret is sent to the builder, and workflows have no more
// permissions than they need. It prints one line for each problem. The exit code is 1 if there is a problem.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dockerlint FOLDER")
		os.Exit(2)
	}
	if err := os.Chdir(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	problems := slices.Concat(
		lintDockerfile(context.Background(), "Dockerfile"), lintIgnored("Dockerfile", ".dockerignore"),
		lintCompose(context.Background(), "compose.yaml"), lintWorkflows(".github/workflows"))
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Println("docker-lint: Dockerfile, compose.yaml and the workflows are fine")
}
