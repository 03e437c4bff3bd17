# `make` prints this list. Everything a target needs is installed or named by it.

GO      ?= go
PREFIX  ?= /usr/local
VENV    := .venv
PYREQS  := tests/examples/requirements.txt
NODE    := .node
NODEREQ := tests/libraries/node/package.json tests/libraries/node/package-lock.json
TOOLS   := redis-server redis-tools prometheus-redis-exporter prometheus shellcheck openssl tmux chromium
ASYNQ   := $(shell sed -n 's/^const asynqModule = "\(.*\)"/\1/p' tests/libraries/asynq_test.go)
FUZZTIME ?= 10s
SOAK    ?= 10m

.DEFAULT_GOAL := help
.PHONY: help build run test test-race lint fuzz-short diff soak bench simulate profile install deb container tools

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
# The longest come first, of these and of the others.
CHECKED := ./tests/diff ./tests/evict ./tests/packets ./store/... ./server/engine ./server/commands ./tests/linear ./tests/storm
LONG    := ./tests/clients ./tests/interop ./server/netloop ./tests/dashboard ./tests/libraries

# Most packages wait for another process as long as they compute: three of them keep two processors busy.
TEST = $(GO) test -vet=off -timeout 30m -p $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 ))

# The server that tests start as a process is built once for all of them: as it is installed, and with the checks. The
# profile would have all packages compiled another time with the tag. What go test vets, lint has vetted.
test: tools lint ## install what the tests need, lint, and run all tests (SEED=n repeats a random run)
	$(GO) build -tags invariants -pgo=off -o bin/checked/larder ./cmd/larder
	$(GO) build -o bin/tested/larder ./cmd/larder
	LARDER_BIN=$(CURDIR)/bin/checked/larder $(TEST) -tags invariants $(CHECKED)
	LARDER_BIN=$(CURDIR)/bin/tested/larder $(TEST) $(LONG) $$($(GO) list ./... | grep -vxF "$$($(GO) list $(CHECKED) $(LONG))")
	$(GO) test -vet=off -run TestShard ./store # sizes, which the tag changes

test-race: tools ## run all tests under the race detector
	$(GO) test -race -timeout 60m ./...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags invariants ./store/... # where files depend on the tag
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

soak: tools ## run all of asynq's own tests, and for SOAK (10m) each a storm of clients, and random scripts against redis-server
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 20m -run TestAsynq ./tests/libraries
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -tags invariants -v ./tests/storm
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -run 'TestPrograms' -v ./tests/diff

bench: tools ## measure beside redis-server and write tests/bench/RESULTS.md
	$(GO) run ./tests/bench

simulate: ## replay traces through cache policies and write tests/bench/SIMULATION.md
	$(GO) run ./tests/bench/simulate -out tests/bench

# A profile with hash commands and CACHE.GET as well has the compiler spread what it inlines: GET and SET took
# 2 to 7 % more instructions then, and the others no fewer.
profile: ## measure anew where GET and SET spend their time, for the compiler (cmd/larder/default.pgo)
	$(GO) test -trimpath ./server/commands -run '^$$' -bench '^BenchmarkSession(WithLog)?$$/^(GET|SET)$$' -benchtime 2s \
		-cpuprofile cmd/larder/default.pgo -o /dev/null

install: build ## install into PREFIX (/usr/local)
	install -D -m 755 bin/larder $(DESTDIR)$(PREFIX)/bin/larder

PACKAGING := cmd/larder/packaging
CONTAINER ?= docker

deb: build ## build a Debian package, with the unit files, into bin
	deb=$$($(PACKAGING)/deb.sh bin/larder bin) && echo $$deb && \
	if command -v lintian >/dev/null; then lintian --allow-root --fail-on error,warning $$deb; fi

container: build ## build the container image larder (CONTAINER=podman: with another tool)
	rm -rf bin/image && mkdir -p bin/image/data
	cp bin/larder bin/image && $(PACKAGING)/copyright.sh >bin/image/copyright
	echo 'larder:x:65532:65532::/data:/sbin/nologin' >bin/image/passwd
	$(CONTAINER) build -t larder -f $(PACKAGING)/Containerfile bin/image

# What the tests need from outside: redis-server as the oracle, redis-cli, redis-benchmark, openssl and redis_exporter as
# clients, promtool (of the package prometheus), chromium and tmux to look at dashboards, shellcheck, a Python of their own and
# packages for Node, both with libraries in pinned versions, and asynq with what its own tests need.
tools: $(VENV)/.installed $(NODE)/.installed
	@cd "$$($(GO) mod download -json $(ASYNQ) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')" && GOFLAGS= $(GO) mod download
	@for tool in redis-server redis-cli redis-benchmark prometheus-redis-exporter promtool shellcheck openssl tmux chromium; do \
		command -v $$tool >/dev/null && continue; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update && apt-get install -y --no-install-recommends $(TOOLS); break; \
		fi; \
		echo "the tests need $$tool; install it: apt-get install $(TOOLS) (as root)" >&2; exit 1; \
	done

$(VENV)/.installed: $(PYREQS)
	@command -v python3 >/dev/null || { echo "the tests need python3; install it: apt-get install python3 python3-venv (as root)" >&2; exit 1; }
	python3 -m venv $(VENV) || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update && apt-get install -y --no-install-recommends python3-venv && python3 -m venv $(VENV); \
		else echo "the tests need Python's venv; install it: apt-get install python3-venv (as root)" >&2; exit 1; fi; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(PYREQS)
	@touch $@

$(NODE)/.installed: $(NODEREQ)
	@command -v npm >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update && apt-get install -y --no-install-recommends nodejs npm; \
		else echo "the tests need Node and npm; install them: apt-get install nodejs npm (as root)" >&2; exit 1; fi; }
	@mkdir -p $(NODE)
	cp $(NODEREQ) $(NODE)
	cd $(NODE) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@
