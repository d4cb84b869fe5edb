PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
# Old pips know the first for isolated builds too, new ones want the second.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo test lint fix check constraints system clean
.DEFAULT_GOAL := help

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/dev  ## All that work on the project needs, into .venv

demo: .venv/demo  ## The demo on http://127.0.0.1:8000 (PORT=9000 for another port)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py seed
	@echo "Open http://127.0.0.1:$(PORT)/ and publish:"
	@echo "curl -X POST http://127.0.0.1:$(PORT)/api/v1/groups/news.updates/data-changed -H 'Authorization: Bearer demo-key' -H 'Content-Type: application/json' -d '{\"data\":{\"headline\":\"Hello from curl\"}}'"
	@$(BIN)/uvicorn project.asgi:application --host 127.0.0.1 --port $(PORT)

test: .venv/dev system  ## The whole suite
	PYTHONDEVMODE=1 $(BIN)/pytest

lint: .venv/dev  ## Style, types, layers, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

fix: .venv/dev  ## What lint can put right by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

check:  ## All that decides what lands, with the time of each part
	@for part in install lint test; do \
	  start=$$(date +%s); $(MAKE) --no-print-directory $$part || exit; \
	  times="$$times$$part $$(($$(date +%s) - start)) s\n"; \
	done; printf "\nmake check passed:\n$$times"

constraints:  ## Pin what a fresh install gets today
	rm -rf .venv && : > constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/pip freeze --exclude-editable > constraints.txt
	touch .venv/dev .venv/demo

# Playwright's own Node.js needs libatomic, which a bare Debian does not have.
system: .venv/dev
	@ready() { { test -n "$$CHROMIUM" || command -v chromium; } && $(BIN)/playwright --version; } >/dev/null 2>&1; \
	ready || { test "$$(id -u)" = 0 && command -v apt-get && apt-get update && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium libatomic1; } >/dev/null; \
	ready || { echo "The browser tests need Chromium: install the packages chromium and libatomic1." >&2; exit 1; }

.venv/demo .venv/dev: .venv/%: pyproject.toml constraints.txt
	@echo "Installing what $* needs into .venv ..."
	@test -d .venv || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --editable '.[$*]'
	@touch $@

clean:  ## Forget all that was built
	rm -rf .venv db.sqlite3 dist
