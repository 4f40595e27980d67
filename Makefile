# One door to everything. `make` lists the targets; each does what it needs first, and nothing twice.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
UV := uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11

# Arguments for the program behind a target: make serve ARGS="--port 6000", make test ARGS="-k upload"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup serve check format test faults bench docs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.development ## .venv with the package, development tools and test engines

serve: $(VENV)/.runtime ## install what running needs, then start the registry on 127.0.0.1:5000
	@exec $(BIN)/entrepot serve $(ARGS)

check: setup ## format, lint, types, imports, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.docs --check

format: setup ## let ruff lay out the code and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup ## every test; some need root and the programs of .ci/packages
	$(BIN)/pytest -n auto --dist loadfile $(ARGS)

faults: setup ## kill the whole server 1,000 times on each engine, under load
	ENTREPOT_TEST_KILLS=1000 $(BIN)/pytest -n 2 tests/faults/test_kills.py --dist load $(ARGS)

bench: setup ## measure beside Debian's docker-registry
	$(BIN)/python -m tests.bench.start
	$(BIN)/python -m tests.bench.run $(ARGS)

docs: setup ## write the generated pages
	$(BIN)/python -m tools.docs

lock: ## resolve the dependencies anew; needs uv
	@command -v uv > /dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/"; exit 1; }
	$(UV) --upgrade pyproject.toml -o requirements/runtime.txt
	$(UV) --upgrade -c requirements/runtime.txt pyproject.toml --group dev -o requirements/development.txt
	$(UV) --upgrade -c requirements/development.txt requirements/build.in -o requirements/build.txt

clean: ## remove the environment and everything that can be made again
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "entrepot needs Python 3.11 or newer; make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
		echo "$(PYTHON) lacks venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The package itself is installed as a link to src/, built with what the lock names.
$(VENV)/.runtime: $(VENV)/.created requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src/entrepot
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements/development.txt
	$(PIP) --require-hashes -r requirements/development.txt
	@touch $@
