# `make demo` and `make test` are all you need: each makes its environment by itself.
# All paths are relative, and programs of the environment are started as modules, so that the
# folder may be called anything.

PY := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=
export PYTHONUTF8 := 1
CODE := portal jobs tests wsgi.py gunicorn.conf.py
WITHOUT_BROWSER := not browser and not faults and not long
# Two files at a time: the tests between processes wait more than they work.
# As ordered (the conftest.py of tests and tests/browser): by default the files with the fewest
# tests, our longest, come last.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
FAULTS := $(PY) -m pytest -q -p no:randomly tests/faults -m
SEED ?= 1
INVOICES ?= 1000
ROUNDS ?= 5
SCALE ?= whole
N ?= 30

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test check lint format types imports templates translations \
	test-postgres long fuzz protections security-document bench faults faults-short storm browser screenshots audit lock sbom licences clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1  /p' Makefile | awk -F'  ' '{printf "make %-14s %s\n", $$1, $$2}'

# --- set-up ---------------------------------------------------------------------------------

.venv/installed: requirements-dev.txt pyproject.toml tools/environment.sh
	@echo "Making the environment in .venv (about a minute, once) ..."
	@tools/environment.sh requirements-dev.txt
	@touch $@

.venv/browser: .venv/installed requirements-browser.txt
	@tools/environment.sh requirements-browser.txt
	@touch $@

setup: .venv/installed translations ## make the environment; the other targets do it by themselves

# The compiled catalogues are not in the repository; without a single one there is nothing to do.
translations: .venv/installed
	@for po in portal/translations/*/LC_MESSAGES/messages.po; do \
		if [ -f "$$po" ] && [ ! "$${po%.po}.mo" -nt "$$po" ]; then \
			$(PY) -m babel.messages.frontend --quiet compile -i "$$po" -o "$${po%.po}.mo" || exit 1; \
		fi; \
	done

# --- the two commands of the README ---------------------------------------------------------

# Without exec a shell would stand between make and the demo, which ends when its parent is gone.
demo: setup ## the whole way with both remote sides simulated; ONCE=1 ends after the story
	@ONCE="$(ONCE)" exec $(PY) -m tests.demo

test: setup ## all tests but those in a browser and the faults
	$(PY) -m pytest -q $(SIDE_BY_SIDE) -m "$(WITHOUT_BROWSER)" $(ARGS)

# --- the other ones --------------------------------------------------------------------------

dev: setup ## the portal against the real Cobot and sevdesk, settings from .env
	@$(PY) -m portal.cli_up

check: lint types imports templates audit test ## everything that must hold before a commit

lint: setup
	$(PY) -m ruff check $(CODE)
	$(PY) -m ruff format --check $(CODE)

format: setup ## put the code into its form
	$(PY) -m ruff check --fix $(CODE)
	$(PY) -m ruff format $(CODE)

types: setup
	$(PY) -m mypy

imports: setup
	$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()' --no-logo

templates: setup
	$(PY) -m djlint templates --lint --profile=jinja --quiet

# Needs the network. Where the list of known faults is out of reach that is said, and passed over.
audit: setup
	@tools/audit.sh

test-postgres: setup ## the same tests on PostgreSQL, in a cluster of their own
	@tools/with-postgres.sh $(PY) -m pytest -q $(SIDE_BY_SIDE) -m "$(WITHOUT_BROWSER)" $(ARGS)

# The short rows of the forty faults, on the database that TEST_DATABASE_URL names or SQLite.
faults-short: setup
	$(FAULTS) "faults and not slow" $(ARGS)

faults: setup ## all forty faults on SQLite and PostgreSQL; writes docs/faults.md
	@rm -f var/faults-*.json; mkdir -p var
	-FAULTS_RESULTS=var/faults-sqlite.json $(FAULTS) faults $(ARGS)
	-FAULTS_RESULTS=var/faults-postgres.json tools/with-postgres.sh $(FAULTS) faults $(ARGS)
	@$(PY) -m tests.faults.report var/faults-sqlite.json var/faults-postgres.json

bench: setup ## the ten measurements; ROWS=1,5 ROUNDS=5 SCALE=small WRITE=1, see docs/performance.md
	@DURABLE=1 tools/with-postgres.sh $(PY) -m tests.bench --rounds $(ROUNDS) --scale $(SCALE) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(WRITE),--write)

protections: setup ## take each protection of docs/security.md away and see its test fail; ROWS=text
	@ROWS="$(ROWS)" tools/with-postgres.sh $(PY) -m tests.protections

security-document: setup
	@$(PY) -m tests.protections document

# N requests to each address, on SQLite and on PostgreSQL; the short way is part of `make test`.
fuzz: setup ## whatever anybody may send to every address: N=30 requests each, on both databases
	FUZZ_EXAMPLES=$(N) $(PY) -m pytest -q $(SIDE_BY_SIDE) tests/web/test_fuzz.py $(ARGS)
	FUZZ_EXAMPLES=$(N) tools/with-postgres.sh $(PY) -m pytest -q $(SIDE_BY_SIDE) tests/web/test_fuzz.py $(ARGS)

# A burst of 5,000 hooks, and the Procfile under honcho with PostgreSQL and a Redis.
long: setup ## what takes longer: bursts, and the whole deployment by its Procfile
	@tools/with-postgres.sh $(PY) -m pytest -q -p no:randomly -m long tests/e2e $(ARGS)

storm: setup ## faults at random: SEED=n INVOICES=1000, SECONDS=n spreads them over a time
	@$(PY) -m tests.faults.storm --seed $(SEED) --invoices $(INVOICES) $(if $(SECONDS),--seconds $(SECONDS))

browser: .venv/browser translations ## the tests in a real Chromium (CHROMIUM=path, default: on PATH)
	@tools/browser.sh
	$(PY) -m pytest -q $(SIDE_BY_SIDE) -m browser tests/browser $(ARGS)

screenshots: .venv/browser translations ## every page in every state into var/screenshots/
	@tools/browser.sh
	@$(PY) -m tests.browser.screenshots

# Universal: one lock for every system and for Python 3.11 and newer.
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock"

lock: ## renew the lock files from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/"; exit 1; }
	$(LOCK) pyproject.toml -o requirements.txt $(LOCK_ARGS)
	$(LOCK) pyproject.toml -c requirements.txt --group dev -o requirements-dev.txt $(LOCK_ARGS)
	$(LOCK) -c requirements-dev.txt --group pyproject.toml:build -o requirements-build.txt $(LOCK_ARGS)
	$(LOCK) pyproject.toml -c requirements-dev.txt --group dev --group browser -o requirements-browser.txt $(LOCK_ARGS)
	$(LOCK) --group pyproject.toml:audit -o requirements-audit.txt $(LOCK_ARGS)

sbom: setup ## the bill of materials (CycloneDX) into var/sbom.cdx.json
	@mkdir -p var; $(PY) tools/packages.py sbom > var/sbom.cdx.json && echo var/sbom.cdx.json

licences: setup ## renew docs/licences.md from the locks
	@mkdir -p var; $(PY) tools/packages.py licences > var/licences.md && mv var/licences.md docs/licences.md

clean: ## remove what can be made again; data in var/ stay, those of the demo go
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info var/demo*
	find portal jobs tests -name __pycache__ -type d -prune -exec rm -rf {} +
