# Two commands matter: `make demo` shows the product with calls, `make test`
# proves it against a real Asterisk and a real Redis. Both install what is
# missing (Debian 12, see scripts/setup.sh) and leave no process behind.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/markaz
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
ASTERISK ?= 22
RUN      ?= .
PKG      ?= ./...
FUZZTIME ?= 30s

.PHONY: setup build portable test test-16 test-odoo lint demo bench fuzz clean

setup: ## install what is missing, for all targets
	@scripts/setup.sh

build: ## bin/markaz, bin/markaz-legacy
	@mkdir -p bin
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/markaz
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/markaz-legacy

# Old exchanges and line monitors hang on such machines.
PORTS := linux/arm64 windows/amd64

portable: ## bin/markaz-legacy for other machines
	@mkdir -p bin
	@for port in $(PORTS); do os=$${port%/*}; arch=$${port#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/markaz-legacy-$$os-$$arch$$ext ./cmd/markaz-legacy || exit 1; \
	done

test: setup ## all tests; RUN=regexp PKG=./queue/... narrow it
ifeq ($(PKG),./...)
	@ASTERISK=$(ASTERISK) scripts/test.sh -run '$(RUN)'
else
	REQUIRE_REAL=1 ASTERISK=$(ASTERISK) go test -race -timeout 15m -p 1 -run '$(RUN)' $(PKG)
endif

test-16: ## all tests against Asterisk 16
	@$(MAKE) test ASTERISK=16

test-odoo: setup ## the Odoo connector against a real Odoo 14 (2 GB, some minutes at first)
	@scripts/odoo.sh install
	go test -tags odoo -timeout 20m -run 'RealOdoo' ./apps/crm

lint: setup ## gofumpt, go vet, staticcheck, and that it builds for all machines
	@files=$$($(CACHE)/bin/gofumpt -l .); if [ -n "$$files" ]; then echo "not formatted by gofumpt:"; echo "$$files"; exit 1; fi
	go vet ./...
	$(CACHE)/bin/staticcheck ./...
	@$(MAKE) --no-print-directory portable

demo: ## a telephone exchange with agents and callers; DEMO_SECONDS=60 ends by itself
	@scripts/setup.sh 22
	@$(MAKE) --no-print-directory build
	@go build -o bin/ ./cmd/markaz-demo && exec bin/markaz-demo

bench: setup ## benchmarks; RUN=regexp narrows them
	REQUIRE_REAL=1 ASTERISK=$(ASTERISK) go test -p 1 -timeout 30m -run '^$$' -bench '$(RUN)' -benchmem $(PKG)
	@if [ -x bench/run ]; then bench/run; fi

fuzz: setup ## each fuzz target for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c6-); do \
	    echo "== $$dir $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
	  done; \
	done

clean: ## what build made; the downloads in the cache stay
	rm -rf bin
