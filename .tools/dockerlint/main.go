// Command dockerlint checks Dockerfile, .dockerignore, compose.yaml and the workflows of GitHub without a container engine:
// the first with the rules of `docker build --check`, which are BuildKit's own, compose.yaml with the loader of docker
// compose, for every profile. Beside them it applies rules of Parley: images and actions are named by digest, no service
// has a default password, no secret is sent to the builder, and workflows have no more permissions than they need.
// It prints one line for each problem and exits with 1 where there is any.
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
