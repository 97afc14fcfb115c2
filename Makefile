# Parley: every command of daily work. `make` alone lists them.
#
# Variables, given as `make TARGET NAME=value`:
#   ARGS       further arguments of demo, bench, migrate-up, migrate-down
#   PKG        the packages that test, test-race, cover and lint look at   (default ./...)
#   TESTFLAGS  further flags of go test, such as -run=TestTurn -count=1
#   RERUNS     a file: test, test-console and test-faults run up to five failed tests once more, and write there which (default: they do not)
#   FUZZTIME   how long fuzz lets each target run               (default 10s)
#   VERSION    what `parley version` tells                      (default: git describe, else dev)
#   COMPOSE_PROFILES  what up starts: infra, or app for Parley itself too  (default infra)
# The server's own variables (DATABASE_URL, HTTP_ADDR, …) are in env.example; dev passes them on, and reads those of .env.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

# One set of flags for all that compiles, so that nothing is compiled twice.
export CGO_ENABLED ?= 0
export GOFLAGS ?= -trimpath

ARGS ?=
PKG ?= ./...
TESTFLAGS ?=
RERUNS ?=
FUZZTIME ?= 10s
VERSION ?= $(shell test -e .git && git describe --tags --always --dirty 2>/dev/null || echo dev)
COMPOSE_PROFILES ?= infra
COMPOSE := VERSION=$(VERSION) docker compose --profile infra --profile app

RERUN := $(if $(RERUNS),--rerun-fails=1 --rerun-fails-max-failures=5 --rerun-fails-run-root-test --rerun-fails-report=$(RERUNS))
TOOL := go tool -modfile=.tools/go.mod
BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false
DEPENDENCIES := CGO_ENABLED=0 go run -C .tools/dependencies . -root "$(CURDIR)"
SOURCES := cmd,modules,platform,db,api,go.mod,go.sum

.PHONY: help
help: ## list every target with what it does
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

##### The local loop

.PHONY: dev
dev: modules postgres ## serve on this machine; build and restart when a source changes; data stays in .parley
	@go -C .tools build -buildvcs=false -o ../bin/devloop ./devloop
	@[ -x bin/parley ] || .tools/first-build
	@LOG_FORMAT=$${LOG_FORMAT:-text} exec bin/devloop -bin bin/parley -watch $(SOURCES) -build "$(MAKE) build" -env .env -- serve

.PHONY: demo
demo: modules ## walk register, bot, instruction, turn, an answer that cites a document against the running server, step by step
	@go run ./cmd/demo $(ARGS)

.PHONY: build
build: ## build bin/parley, one static binary
	@$(BUILD) -ldflags "-s -w -X main.version=$(VERSION)" -o bin/parley ./cmd/parley

.PHONY: migrate-up
migrate-up: build ## bring the database to the newest schema
	@bin/parley migrate up $(ARGS)

.PHONY: migrate-down
migrate-down: build ## take the newest migration back
	@bin/parley migrate down $(ARGS)

##### Before a commit

.PHONY: test
test: modules postgres ## run every test; ends with a line that counts
	@go test -C .tools/bench ./... >/dev/null || go test -C .tools/bench ./...
	@$(TOOL) gotestsum --format pkgname-and-test-fails $(RERUN) --packages="$(PKG)" -- -timeout=30m $(TESTFLAGS)

.PHONY: test-newest
test-newest: modules ## the tests of the schema and of what speaks to Postgres, on PostgreSQL 18 (Linux on x86-64)
	@bin=$$(.tools/postgres-18) && PATH=$$bin:$$PATH POSTGRES_BIN_DIR=$$bin $(TOOL) gotestsum --format pkgname-and-test-fails -- $(TESTFLAGS) ./db ./platform/data/postgres ./modules/auth/adapters/postgres ./modules/bots/adapters/postgres ./modules/channels/adapters/postgres ./modules/conversations/adapters/postgres ./modules/knowledge/adapters/postgres

.PHONY: test-race
test-race: export CGO_ENABLED := 1
test-race: modules postgres ## the same under the race detector (needs a C compiler)
	@[ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null || { echo "test-race: the race detector needs cgo and a C compiler (Debian: apt-get install gcc libc6-dev)" >&2; exit 1; }
	@$(TOOL) gotestsum --format pkgname-and-test-fails -- -race $(TESTFLAGS) $(PKG)

.PHONY: test-faults
test-faults: modules postgres ## kill the program, its Postgres, its Redis and its disk under load, and count rows
	@$(TOOL) gotestsum --format testname $(RERUN) --packages=./cmd/parley/tests/faults -- -tags faults -run TestFault -count=1 -timeout=30m $(TESTFLAGS)

.PHONY: test-clients
test-clients: modules postgres ## walk the API with a TypeScript and a Go client of the published document, with the clients of OpenAI, LangChain and the AI SDK, and with api/postman.json
	@.tools/test-clients

.PHONY: test-console
test-console: modules postgres ## check the web console of api/console: its types, dist and size, and its pages in Chromium; ARGS names test files
	@.tools/test-console $(ARGS)

.PHONY: cover
cover: modules postgres ## run every test and tell how much hand-written code they reach; writes coverage.out
	@.tools/cover $(TESTFLAGS) -- $(PKG)

.PHONY: fuzz
fuzz: modules ## run every Fuzz target for FUZZTIME each
	@.tools/fuzz $(FUZZTIME)

.PHONY: check
check: modules check-migrations check-generated check-format vet lint licenses vulnerabilities test ## migrations, generated code, format, vet, lint, licenses, vulnerabilities, tests

.PHONY: check-migrations
check-migrations: ## fail where a migration that has landed is changed, or a new one is put before it
	@.tools/check-migrations

.PHONY: check-generated
check-generated: modules ## generate anew and fail where that changes a file
	@.tools/check-generated

.PHONY: check-format
check-format: modules ## fail where make fmt would change a file
	@$(TOOL) golangci-lint fmt --diff || { echo "check-format: make fmt" >&2; exit 1; }

.PHONY: vet
vet: modules ## go vet
	@go vet ./... && go vet -C .tools/bench ./...

.PHONY: lint
lint: modules ## golangci-lint with .golangci.yaml
	@$(TOOL) golangci-lint run $(PKG)

.PHONY: licenses
licenses: modules ## write bin/third-party-licenses.txt; fail where one is not in .tools/licenses-allowed
	@$(DEPENDENCIES) -tests -licenses "$(CURDIR)/bin/third-party-licenses.txt"

.PHONY: sbom
sbom: modules ## write bin/sbom.cdx.json, the list of the modules in the program (SBOM, CycloneDX)
	@$(DEPENDENCIES) -version "$(VERSION)" -sbom "$(CURDIR)/bin/sbom.cdx.json"

.PHONY: vulnerabilities
vulnerabilities: modules ## known vulnerabilities in what the program calls (govulncheck)
	@.tools/vulnerabilities

.PHONY: secrets
secrets: ## look for secrets in every commit (gitleaks)
	@go tool -modfile=.tools/gitleaks/go.mod gitleaks git --no-banner --redact

.PHONY: fmt
fmt: modules ## format the Go code
	@$(TOOL) golangci-lint fmt

.PHONY: generate
generate: modules ## make the generated code anew: sqlc from db, servers and api/postman.json from api/openapi.yaml, env.example
	@.tools/generate

.PHONY: console
console: ## build api/console/dist, the files of the web console (npm)
	@cd api/console && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null && cp package-lock.json node_modules/.installed-lock && npm run --silent types >/dev/null && npm run --silent check && npm run --silent build -- --logLevel warn

.PHONY: bench
bench: modules postgres ## the hot calls against pgbench, the queue against river's, on the same Postgres
	@CGO_ENABLED=0 go build -C .tools/bench -buildvcs=false -o "$(CURDIR)/bin/bench" . && bin/bench $(ARGS)

.PHONY: bench-knowledge
bench-knowledge: build ## hit@5, MRR and time of searches on Debian's FAQ, which apt-get downloads (Debian)
	@[ -d bin/corpus ] || { rm -rf bin/corpus.part && mkdir -p bin/corpus.part && cd bin/corpus.part && apt-get download -qq debian-faq debian-faq-ru debian-handbook && \
		for package in *.deb; do dpkg-deb -x $$package . || exit 1; done && mv ../corpus.part ../corpus; }
	@CGO_ENABLED=0 go build -C .tools/bench -buildvcs=false -o "$(CURDIR)/bin/bench-knowledge" ./knowledge && bin/bench-knowledge $(ARGS)

.PHONY: release-snapshot
release-snapshot: build postgres ## pack a database filled by this program as db/testdata/releases/VERSION, for the tests of later upgrades
	@go -C .tools build -buildvcs=false -o ../bin/snapshot ./snapshot
	@bin/snapshot -parley bin/parley -version "$(VERSION)" -out "db/testdata/releases/$(VERSION).tar.gz"

.PHONY: release
release: modules ## build the archives of a release in dist, for linux and darwin on amd64 and arm64, with SBOMs and checksums
	@.tools/release "$(VERSION)" dist

.PHONY: hooks
hooks: ## let git run .githooks before a commit and a push
	@git config core.hooksPath .githooks && echo "hooks: on (git config --unset core.hooksPath turns them off)"

##### Containers

.PHONY: docker-lint
docker-lint: modules ## check Dockerfile, compose.yaml and the workflows, without Docker
	@go run -C .tools/dockerlint . "$(CURDIR)"

.PHONY: deploy-lint
deploy-lint: ## check the workflows (actionlint), the Kubernetes manifests (kustomize) and the systemd unit
	@.tools/deploy-lint

.PHONY: image
image: docker-installed ## build the container image parley:dev
	@docker build --build-arg VERSION=$(VERSION) --tag parley:dev .

.PHONY: up
up: compose-installed ## start Postgres, Redis, ClickHouse, S3 and Qdrant and wait for them; COMPOSE_PROFILES=app: and Parley
	@.tools/compose-env
	@VERSION=$(VERSION) COMPOSE_PROFILES=$(COMPOSE_PROFILES) docker compose up --detach --build --wait

.PHONY: down
down: compose-installed ## stop them; their data stays
	@$(COMPOSE) down

.PHONY: status
status: compose-installed ## tell which of them run
	@$(COMPOSE) ps --all

.PHONY: logs
logs: compose-installed ## follow their logs
	@$(COMPOSE) logs --follow --tail=100

.PHONY: clean
clean: ## remove what make built; the data in .parley stays
	@rm -rf bin dist tmp coverage.out

##### What the others need

.PHONY: modules
modules:
	@command -v go >/dev/null || { echo "Go is not installed: https://go.dev/dl has it ($$(sed -n 's/^go //p' go.mod) or newer)" >&2; exit 1; }
	@go mod download || { echo "Go could not fetch the modules that go.mod names (the reason is above). Behind a proxy: go env -w GOPROXY=…" >&2; exit 1; }

.PHONY: postgres
postgres:
	@.tools/ensure-postgres

.PHONY: docker-installed
docker-installed:
	@command -v docker >/dev/null || { echo "Docker is not installed; make dev needs none" >&2; exit 1; }

.PHONY: compose-installed
compose-installed:
	@docker compose version >/dev/null 2>&1 || { echo "Docker with the compose plugin is not installed; make dev needs neither" >&2; exit 1; }
