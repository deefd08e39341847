# Each target sets up what it needs: Python 3.11+ with venv, and make, are enough.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 1
CALLS ?= 10000
FAST_TESTS := tests/test_vignettes.py tests/cards tests/service/fhir tests/ordinary

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-dev
SPARK := .venv-spark
SPARK_INSTALLED := $(SPARK)/.installed

.DEFAULT_GOAL := help
.PHONY: help serve test test-fast test-spark check bench instructions soak burden statements screenshots openapi format lock clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

serve: $(INSTALLED)  ## serve without authentication on HOST:PORT (127.0.0.1:8000) with WORKERS processes
	$(BIN)/b12-cds serve --open --host $(HOST) --port $(PORT) --workers $(WORKERS)

test: $(INSTALLED)  ## run the tests
	$(BIN)/python -m pytest

test-fast: $(INSTALLED)  ## run the tests of cards, example patients, reading and ordinary patients, in about a minute
	$(BIN)/python -m pytest $(FAST_TESTS)

test-spark: $(SPARK_INSTALLED)  ## run the tests of the replay on Spark (needs Java 17)
	$(SPARK)/bin/python -m pytest -o addopts=--quiet tests/spark

check: $(INSTALLED)  ## lint, format, types, import contracts, freshness of what is generated
	@failed=0; \
	for command in "ruff check" "ruff format --check" "mypy cards service tests" "lint-imports"; do \
	  echo "== $$command"; $(BIN)/$$command || failed=$$((failed + 1)); \
	done; \
	echo "== openapi/openapi.json is fresh"; \
	$(BIN)/b12-cds openapi | diff -q - openapi/openapi.json || failed=$$((failed + 1)); \
	if [ $$failed -gt 0 ]; then echo "$$failed checks failed"; exit 1; fi; echo "all checks passed"

bench: $(INSTALLED)  ## measure against a minimal FastAPI app in the same run
	$(BIN)/python -m tests.bench

instructions: $(INSTALLED)  ## count what one warm call executes (needs valgrind, or tells times); AGAINST a revision too
	$(BIN)/python -m tests.bench --instructions $(if $(AGAINST),--against $(AGAINST))

soak: $(INSTALLED)  ## send CALLS (10000) calls full of junk to a server; SEED repeats those of an earlier round
	$(BIN)/python -m tests.soak --calls $(CALLS) $(if $(SEED),--seed $(SEED))

burden: $(INSTALLED)  ## print cards per rule and level over all patients of the tests
	$(BIN)/python -m tests.burden

statements: $(INSTALLED)  ## print the statements of the founding document with the patients that prove them
	$(BIN)/python -c "from cards.statements import table; print(table())"

screenshots: $(INSTALLED)  ## write the pictures of the README with /usr/bin/chromium
	$(BIN)/python -m tests.browser.screenshots

openapi: $(INSTALLED)  ## write openapi/openapi.json
	$(BIN)/b12-cds openapi > openapi/openapi.json

format: $(INSTALLED)  ## format the code
	$(BIN)/ruff format && $(BIN)/ruff check --fix

lock:  ## renew the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --extra tracing pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --constraints requirements.lock --extra dev pyproject.toml --output-file requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --constraints requirements-dev.lock --extra dev --extra spark pyproject.toml --output-file requirements-spark.lock

clean:  ## remove what was set up
	rm -rf $(VENV) $(SPARK) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(SPARK_INSTALLED): requirements-spark.lock pyproject.toml
	test -x $(SPARK)/bin/python || $(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
