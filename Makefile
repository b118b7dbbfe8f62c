# Every target does its own set-up: `make run` and `make test` work in a fresh clone.
#
#   make setup   the virtual environment .venv, with the tested versions
#   make run     a whole search on the embedded digits pair   (ARGS="--seed 1" adds options)
#   make test    all tests                                    (ARGS="-k parse" adds options)
#   make lint    formatting, ruff rules, mypy --strict
#   make docs    the documentation, in build/site; open build/site/index.html
#   make test-lowest   quick tests with the lowest versions that pyproject.toml allows, in .venv-lowest
#   make clean   remove .venv and the tools' caches; runs/ stays
#
# PYTHON chooses the interpreter for a new .venv; PIP_ARGS is handed to pip.

SHELL := /bin/sh
PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
WORKERS ?= 2

PY := .venv/bin/python
DONE := .venv/setup-done
BUSY := .venv/setup-interrupted
LOWEST := .venv-lowest/bin/python
QUICK := tests/grammar tests/distiller tests/primitives tests/cli/test_run_command.py

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
VERSION := import platform; print(platform.python_version())

.DEFAULT_GOAL := setup
.PHONY: setup run test test-lowest lint docs clean

setup: $(DONE)
	@:

# An install that was cut off can leave half a package that pip takes for a whole one. So a mark lies
# in .venv while pip works, and an environment that still carries it is built anew.
$(DONE): pyproject.toml constraints.txt
	@if [ -e $(BUSY) ]; then echo "setup: the last install was cut off; starting .venv anew"; rm -rf .venv; fi
	@if ! $(PY) -c '$(NEW_ENOUGH)' 2>/dev/null || ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  if ! command -v "$(PYTHON)" >/dev/null 2>&1; then \
	    echo "setup: found no program '$(PYTHON)'. kdzero_gp needs Python 3.11 or newer: on Debian," \
	      "'apt-get install python3 python3-venv', or name yours: make PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	  if ! "$(PYTHON)" -c '$(NEW_ENOUGH)'; then \
	    echo "setup: '$(PYTHON)' is Python $$("$(PYTHON)" -c '$(VERSION)'), but kdzero_gp needs 3.11 or newer." \
	      "Name a newer one: make PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	  if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "setup: '$(PYTHON)' cannot make a virtual environment, since its module ensurepip is missing." \
	      "On Debian: apt-get install python3-venv" >&2; exit 1; fi; \
	  echo "setup: making .venv with $(PYTHON)"; \
	  "$(PYTHON)" -m venv --clear .venv || exit 1; \
	fi
	@rm -f $(DONE); touch $(BUSY)
	@echo "setup: installing the tested versions; the first time this takes minutes and about 6 GB of disk"
	@$(PY) -m pip install --quiet --progress-bar off --no-input --disable-pip-version-check \
	  $(PIP_ARGS) -c constraints.txt -e '.[dev]' || { \
	  echo "setup: pip could not install the packages; the lines above say why. Then run make again." >&2; exit 1; }
	@rm -f $(BUSY); touch $(DONE)

run: setup
	$(PY) -m kdzero_gp.run --pop 20 --gens 25 $(ARGS)

test: setup
	$(PY) -m pytest -n $(WORKERS) $(ARGS)

# An environment of its own, some 6 GB: not part of CI.
test-lowest: setup
	"$(PYTHON)" -m venv --clear .venv-lowest
	$(PY) .ci/lowest.py > .venv-lowest/constraints.txt
	$(LOWEST) -m pip install --quiet --progress-bar off --no-input --disable-pip-version-check \
	  $(PIP_ARGS) -c .venv-lowest/constraints.txt -e . pytest hypothesis
	$(LOWEST) -m pytest -q $(ARGS) $(QUICK)

lint: setup
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy --strict kdzero_gp primitives benchmarks docs/site

# The theme's authors print a notice about a future MkDocs at every build; it is no warning about these pages.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "docs: open build/site/index.html"

clean:
	rm -rf .venv .venv-lowest build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
