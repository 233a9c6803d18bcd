# Needs Python 3.11, make and a package index; `make help` lists what it does.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
HOST ?= 127.0.0.1
PORT ?= 5000
RATINGS ?=
ANIME ?=
TITLES ?=
RELATIONS ?=
DATA_TIME ?=
KEYS ?=
PEOPLE ?=
SALTS ?= hakken s1 s2
SLOW ?= knn-baseline svd svdpp $(addprefix hakken-without-,time popularity series rating aversion variety)
PARAMS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv run demo test check format bench load chaos evaluate tune sources screenshots golden model lock clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

venv: .venv/installed ## create .venv with what running and training need (0.9 GB)

run: .venv/serving ## serve the app at http://127.0.0.1:5000 (HOST=…, PORT=…)
	$(BIN)/python -m hakken.serving --bind $(HOST):$(PORT)

demo: .venv/serving ## the same with stand-ins for the sites, example users and switchable faults: needs no network
	$(BIN)/python -m tests.standin --bind $(HOST):$(PORT)

test: check ## check, then run every test, three files at a time
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: .venv/installed-dev ## ruff (bandit's rules too), mypy strict, import-linter, pip-audit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.audit

format: .venv/installed-dev ## format the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-dev ## measure serving and training; with RATINGS=…, also on that table
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.painting
	$(BIN)/python -m benchmarks.recommending
	$(BIN)/python -m benchmarks.training
ifneq ($(RATINGS),)
	$(BIN)/python -m benchmarks.against_surprise --ratings $(RATINGS)
	$(BIN)/python -m benchmarks.rating_quality --ratings $(RATINGS) $(if $(PARAMS),--params $(PARAMS))
endif

load: .venv/installed-dev ## measure the served app under load and write docs/operations.md (ten minutes; needs h2load)
	$(BIN)/python -m ops load --write

chaos: .venv/installed-dev ## let everything around the served app fail and write docs/operations.md (ten minutes; needs nginx, root)
	$(BIN)/python -m ops chaos --write

evaluate: .venv/installed ## write docs/evaluation.md (RATINGS=… ANIME=… TITLES=… RELATIONS=… KEYS=… PEOPLE=… …)
	$(BIN)/python -m hakken evaluate --ratings $(RATINGS) $(if $(ANIME),--anime $(ANIME)) \
		$(if $(TITLES),--titles $(TITLES)) $(if $(RELATIONS),--relations $(RELATIONS)) $(if $(KEYS),--keys $(KEYS)) \
		$(if $(PEOPLE),--people $(PEOPLE)) \
		$(foreach salt,$(SALTS),--salt $(salt)) --ablation $(foreach method,$(SLOW),--once $(method)) --report docs

tune: .venv/installed ## write docs/tuning, with PARAMS for `make model` (RATINGS=… ANIME=… TITLES=… RELATIONS=…)
	$(BIN)/python -m hakken tune --ratings $(RATINGS) $(if $(ANIME),--anime $(ANIME)) \
		$(if $(TITLES),--titles $(TITLES)) $(if $(RELATIONS),--relations $(RELATIONS)) --out docs/tuning

sources: .venv/installed-dev ## write the table of docs/sources.md: what each site's faults lead to
	WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/integration/test_fault_matrix.py

screenshots: .venv/installed-dev ## take the README's pictures of pages, and draw the icon and the card; needs Chromium
	$(BIN)/python -m tests.screenshots

golden: .venv/installed-dev ## recompute the golden answers with the slow oracle, and show what changed (twenty seconds)
	$(BIN)/python -m tests.golden

model: .venv/installed ## rebuild the embedded model (RATINGS=… ANIME=… TITLES=… RELATIONS=… PARAMS=… DATA_TIME=2026-03)
	$(BIN)/python -m hakken train --ratings $(RATINGS) --anime $(ANIME) $(if $(TITLES),--titles $(TITLES)) \
		$(if $(RELATIONS),--relations $(RELATIONS)) $(if $(PARAMS),--params $(PARAMS)) \
		$(if $(DATA_TIME),--data-time $(DATA_TIME)) --hold-out --out hakken/embedded

lock: .venv/installed-dev ## pin the newest versions that pyproject.toml allows, and their hashes
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --universal --no-emit-index-url --no-emit-find-links --extra training pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --universal --no-emit-index-url --no-emit-find-links -c requirements.txt --group dev -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --universal --no-emit-index-url --no-emit-find-links -c requirements.txt pyproject.toml -o deploy/requirements.txt

clean: ## remove the virtual environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@echo "Creating .venv ..."
	@$(PYTHON) -m venv .venv

# Older pips read the index twice as slowly. What is never imported need not be compiled: Python compiles the rest at the
# first start.
.venv/serving: deploy/requirements.txt | .venv/bin/python
	@echo "Installing what serving needs into .venv: 160 MB, about half a minute ..."
	@$(PIP) install --no-compile "pip>=26"
	@$(PIP) install --no-compile --require-hashes -r deploy/requirements.txt
	@touch $@

.venv/installed: requirements.txt .venv/serving
	@echo "Installing what training needs into .venv: 750 MB, about two minutes ..."
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	@echo "Installing what the tests need into .venv ..."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
