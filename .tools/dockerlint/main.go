// Command dockerlint checks Dockerfile and compose.yaml without a container engine: the first with the rules of
// `docker build --check`, which are BuildKit's own, the second with the loader of docker compose, for every profile.
// Beside them it holds both to rules of ours. It prints a line a problem and exits with 1 when there is any.
package main

import (
	"context"
	"fmt"
	"os"
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
	problems := append(
		lintDockerfile(context.Background(), "Dockerfile"), lintCompose(context.Background(), "compose.yaml")...)
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Println("docker-lint: Dockerfile and compose.yaml are fine")
}
