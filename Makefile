# One command from a fresh clone: each target sets up what it needs in .venv, then does its job.
# Needs Python 3.11 or later with pip, and git. Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test-fast test nightly kill-tests sanitize kernels check format clean

# Python may keep what it compiles, whatever the machine says: everything lies below this folder, and `make clean`
# removes it. Else every start of Python would compile swinkit and the tests anew.
unexport PYTHONDONTWRITEBYTECODE

WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest --no-header
PARALLEL := OMP_NUM_THREADS=1 $(PYTEST) --numprocesses $(WORKERS) --no-loadscope-reorder

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

demo: .venv/ready-demo ## predict real photographs with the model in the package
	@$(BIN)/python examples/demo.py

test-fast: .venv/ready-dev ## run the unit tests, while you think
	@$(PARALLEL) -m "not slow and not processes and not nightly"

test: .venv/ready-dev ## run every test that proves the product; closes with pytest's summary
	@$(PARALLEL) --durations 25

nightly: kill-tests sanitize kernels ## run what is too long for every change
	@$(PARALLEL) --durations 25 -m nightly --ignore tests/engine/test_sanitized.py

kill-tests: .venv/ready-dev ## ten times the tests that kill trainings, at other moments each time
	@for seed in 0 1 2 3 4 5 6 7 8 9; do \
	  KILL_SEED=$$seed $(PYTEST) --quiet tests/training/test_resume.py tests/training/test_parallel.py \
	    tests/cli/test_train_killed.py -m "" -k "kill or asked or second or signal or disk or left_alone or go_on or goes_on" || exit 1; done

sanitize: .venv/ready-dev ## a thousand random models through the engine's C++ under sanitizers, and as ARM's
	@$(PYTEST) -rs -m "" tests/engine/test_sanitized.py

kernels: .venv/ready-dev ## the GPU kernels, interpreted on the CPU: what `test` tries, and every reference
	@TRITON_INTERPRET=1 $(PYTEST) -m "" tests/engine/gpu/cases.py

check: .venv/ready-dev ## lint, formatting, types, import order; then the sizes of the code
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --quiet --check --output-format concise .
	@$(BIN)/python -m basedpyright
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m tests.style.sizes

format: .venv/ready-dev ## sort imports, mend what can be mended, format
	@$(BIN)/ruff check --fix --quiet . || true # what is left, `make check` tells
	@$(BIN)/ruff format .

clean: ## remove the environment and everything that was built
	rm -rf .venv dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------- set-up
# pip brings uv, and uv the rest: with its cache a second environment takes seconds and, where the file
# system can link, no disk. uv does not read pip's settings, so the index and the certificates that pip is
# set to are handed on, unless uv has its own. The stamps make set-up run again when pyproject.toml changes.

.venv/ready-%: pyproject.toml .venv/bin/uv
	@echo "Setting up .venv for '$*' (the first time downloads PyTorch: minutes, and some GB) ..."
	@setting() { "$(PYTHON)" -m pip config get "$$1" 2>/dev/null || true; }; \
	  index=$${PIP_INDEX_URL:-$$(setting global.index-url)}; \
	  certificates=$${PIP_CERT:-$$(setting global.cert)}; \
	  if [ -n "$$index" ] && [ -z "$${UV_DEFAULT_INDEX:-}$${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	  if [ -n "$$certificates" ] && [ -z "$${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE="$$certificates"; fi; \
	  cache=$$($(BIN)/uv cache dir) && mkdir -p "$$cache"; \
	  device() { df -P "$$1" | awk 'NR == 2 { print $$1 }'; }; \
	  if [ "$$(device .venv)" != "$$(device "$$cache")" ]; then export UV_LINK_MODE="$${UV_LINK_MODE:-copy}"; fi; \
	  $(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --editable '.[$*]'
	@$(BIN)/python -m compileall -q src
	@touch $@

.venv/bin/uv:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "swinkit needs Python 3.11 or later, but '$(PYTHON)' is not; try: make PYTHON=python3.12 TARGET" >&2; exit 1; }
	@"$(PYTHON)" -m venv --without-pip .venv
	@"$(PYTHON)" -m pip --quiet --python $(BIN)/python install uv 2>/dev/null || { \
	  $(BIN)/python -m ensurepip >/dev/null && $(BIN)/python -m pip --quiet install uv; } # a pip before 22.3, or none
