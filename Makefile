# `make` prints this list. Everything a target needs is installed or named by it.

GO      ?= go
PREFIX  ?= /usr/local
VENV    := .venv
PYREQS  := tests/examples/requirements.txt
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help build run test test-race lint fuzz-short diff bench simulate profile install tools

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# Without cgo the program needs no C library, which would take 1.3 MB of memory for the resolver of host names alone.
build: ## build bin/larder
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/larder ./cmd/larder

run: build ## build, and serve on 127.0.0.1:6379 with ./data as the data folder
	@mkdir -p data
	bin/larder serve --bind 127.0.0.1 --port 6379 --dir data

# Packages whose tests run with the checks of package invariants: freed memory is overwritten, shards know
# whether they are locked, and replies are counted. The others run as the server is built.
CHECKED := ./store/... ./server/engine ./server/commands ./tests/diff ./tests/evict ./tests/linear ./tests/packets

test: tools lint ## install what the tests need, lint, and run all tests (SEED=n repeats a random run)
	$(GO) test -timeout 30m -tags invariants $(CHECKED)
	$(GO) test -timeout 30m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(CHECKED))")
	$(GO) test -run TestShard ./store # sizes, which the tag changes

test-race: tools ## run all tests under the race detector
	$(GO) test -race -timeout 60m ./...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags invariants ./...
	$(GO) tool staticcheck ./...

fuzz-short: ## run every fuzz target for FUZZTIME (10s)
	@set -e; for pkg in $$($(GO) list ./...); do \
		listed=$$($(GO) test -list '^Fuzz' $$pkg); \
		for target in $$(echo "$$listed" | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

diff: tools ## compare replies with redis-server, byte for byte
	$(GO) test -count=1 ./tests/diff/...

bench: tools ## measure beside redis-server and write tests/bench/RESULTS.md
	$(GO) run ./tests/bench

simulate: ## replay traces through cache policies and write tests/bench/SIMULATION.md
	$(GO) run ./tests/bench/simulate -out tests/bench

profile: ## measure anew where GET and SET spend their time, for the compiler (cmd/larder/default.pgo)
	$(GO) test ./server/commands -run '^$$' -bench BenchmarkSession -benchtime 2s -cpuprofile cmd/larder/default.pgo -o /dev/null

install: build ## install into PREFIX (/usr/local)
	install -D -m 755 bin/larder $(DESTDIR)$(PREFIX)/bin/larder

# What the tests need from outside: redis-server as the oracle, redis-cli and redis-benchmark as clients, and a Python of
# their own with the client libraries in pinned versions.
tools: $(VENV)/.installed
	@for tool in redis-server redis-cli redis-benchmark; do \
		command -v $$tool >/dev/null && continue; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update && apt-get install -y --no-install-recommends redis-server redis-tools; break; \
		fi; \
		echo "the tests need $$tool; install it: apt-get install redis-server redis-tools (as root)" >&2; exit 1; \
	done

$(VENV)/.installed: $(PYREQS)
	@command -v python3 >/dev/null || { echo "the tests need python3; install it: apt-get install python3 python3-venv (as root)" >&2; exit 1; }
	python3 -m venv $(VENV) || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update && apt-get install -y --no-install-recommends python3-venv && python3 -m venv $(VENV); \
		else echo "the tests need Python's venv; install it: apt-get install python3-venv (as root)" >&2; exit 1; fi; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(PYREQS)
	@touch $@
