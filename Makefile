# `make` builds bin/vm; `make test` tests everything on engines of its own.

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
# All of them but one: sentinels are explained as "ErrX: there is no …".
CHECKS = all,-ST1022
CROSS = darwin/amd64 darwin/arm64 windows/amd64 linux/arm64
SCRIPTS = .ci/run $(wildcard scripts/*)

export CGO_ENABLED = 0

.PHONY: build agent generate test demo bench lint cross clean

# The program, with the agents inside it.
build: agent
	$(GO) build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o bin/vm ./cmd/vm

# The program that runs inside every VM, for both architectures.
agent:
	scripts/build-agent.sh

# Documentation and TypeScript types, from the method table.
generate:
	$(GO) generate ./handlers/...

# Starts a Docker Engine, a registry and PostgreSQL, all private, for the tests
# and stops them afterwards, unless they were up before. A result from the cache
# would say nothing about the engines: -count=1.
test: build
	scripts/testenv run $(GO) test -count=1 ./...

# The main job from end to end, as an editor would do it.
demo: build
	scripts/demo

# Measures beside the bare process and the engine's own tools.
bench: build
	scripts/testenv run $(GO) run ./bench

# Formatting, vet, staticcheck, and shellcheck where it is installed.
lint: agent
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt -w is needed: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) -checks $(CHECKS) ./...
	@if command -v shellcheck >/dev/null; then shellcheck -x $$(grep -lE -d skip '^#!.*\b(ba)?sh' $(SCRIPTS)); \
		else echo "shellcheck is not installed: scripts are not checked"; fi

# The program for every system that it is meant for besides this one.
cross: agent
	@for target in $(CROSS); do echo "build $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null ./cmd/vm || exit 1; done

clean:
	rm -rf bin runtime/agent/bin/vm-agent-*
