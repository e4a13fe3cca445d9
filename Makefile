# Sets up everything on a machine that has Python 3.11 or newer and make.
#
#   PYTHON       the interpreter that creates the environment
#   VENV         the environment's folder
#   CONSTRAINTS  a pip constraints file; if not given, the versions pinned for
#                this Python; if empty, the newest versions
#   ARGS         more flags for `make digits`, such as --config.seed=1
#   PYTEST_ARGS  flags for pytest, such as -k routing
#   EXTRAS       extras to install: test, or test,bench with PyTorch

PYTHON ?= python3
VENV ?= .venv
VERSION := $(shell '$(PYTHON)' -c \
  'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
CONSTRAINTS ?= $(wildcard tests/constraints/python$(VERSION).txt)
ARGS ?=
PYTEST_ARGS ?= -n 2
EXTRAS ?= test

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CONSTRAIN := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
# The stamps name the interpreter and versions used, so that changing either
# rebuilds the environment.
MADE_WITH := $(subst /,-,$(PYTHON)-$(or $(CONSTRAINTS),newest)-$(EXTRAS))
CORE := $(VENV)/core-$(MADE_WITH)
TOOLS := $(VENV)/tools-$(MADE_WITH)

# `make pins` resolves for these Pythons with uv, whichever is installed.
PINNED := 3.11 3.12 3.13 3.14
UV ?= uv
RESOLVE = $(UV) pip compile pyproject.toml --quiet --extra test --extra bench --extra docs --extra release \
  --no-annotate --no-header --python-platform x86_64-manylinux_2_28 \
  --constraint $(TORCH)
# The PyTorch version of the published benchmarks. Its CUDA packages are not
# pinned: they exist for one platform only, and PyTorch itself pins them.
TORCH := tests/constraints/torch.txt
DROP := grep -v -E '^(cuda|nvidia|triton)'

.PHONY: help digits test lint types pytest docs format clean pins

help:
	@echo 'make digits  train the paper'\''s network on handwritten digits, no download'
	@echo 'make test    check format, lint and types, and run the tests'
	@echo 'make pytest  run only the tests'
	@echo 'make docs    build the documentation in build/site'
	@echo 'make format  format the code and apply the linter'\''s fixes'
	@echo 'make clean   remove the environment and the caches'
	@echo 'make pins    update the pinned versions in tests/constraints (needs uv)'
	@echo
	@echo 'digits, test, pytest, docs and format create the environment $(VENV)'
	@echo 'with $(PYTHON). To use another Python:'
	@echo 'make test PYTHON=python3.12 VENV=.venv-3.12'

digits: $(CORE)
	$(BIN)/python -m capsjax.main --config configs/digits.py $(ARGS)

test: lint types pytest

lint: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(TOOLS)
	$(BIN)/mypy

pytest: $(TOOLS)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# Warnings are errors. The build executes the tutorial, and fetches nothing.
docs: $(TOOLS)
	$(BIN)/python -m sphinx --fail-on-warning --quiet docs build/site

format: $(TOOLS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins:
	for version in $(PINNED); do \
	  file=tests/constraints/python$$version.txt; \
	  $(RESOLVE) --python-version $$version | $(DROP) > $$file.new && \
	  { head -n 1 $$file; cat $$file.new; } > $$file.all && \
	  mv $$file.all $$file && rm $$file.new || exit 1; \
	done
	file=tests/constraints/oldest.txt; \
	$(RESOLVE) --python-version $(firstword $(PINNED)) \
	  --resolution lowest-direct | $(DROP) > $$file.new && \
	{ grep '^#' $$file; cat $$file.new; } > $$file.all && \
	mv $$file.all $$file && rm $$file.new

clean:
	@if [ -e '$(VENV)' ] && [ ! -e '$(VENV)/pyvenv.cfg' ]; then \
	  echo '$(VENV) is not a virtual environment; not removed.' >&2; exit 1; fi
	rm -rf '$(VENV)' .mypy_cache .pytest_cache .ruff_cache build dist \
	  docs/reference docs/experiments.md docs/benchmarks.md
	find . -name '.venv*' -prune -o -name __pycache__ -type d -prune \
	  -exec rm -rf {} +

# Clears VENV only if it is an environment, never another folder.
$(CORE): pyproject.toml $(CONSTRAINTS)
	@version=$$('$(PYTHON)' --version 2>/dev/null) || version='not there'; \
	'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  2>/dev/null || { \
	  echo 'capsjax needs Python 3.11 or newer, and $(PYTHON) is' \
	    "$${version:-older}. Name another one: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) lacks ensurepip, so it cannot make an environment.' \
	    'On Debian and Ubuntu: apt install python3-venv' >&2; \
	  exit 1; }
	@echo 'Making the environment in $(VENV) (about a minute, 1 GB)'
	'$(PYTHON)' -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) '$(VENV)'
	$(PIP) install $(CONSTRAIN) --editable '.[all]'
	@touch $@

$(TOOLS): $(CORE)
	$(PIP) install $(CONSTRAIN) --editable '.[$(EXTRAS)]'
	@touch $@
