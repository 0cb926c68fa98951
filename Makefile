# Everything needs Python 3.11 with venv and pip, gcc and make; `make` alone lists what there is.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
LOCKED := $(INSTALL) --require-hashes --no-deps

# A stamp stands for an installation that is complete; it is redone when the lock it names is newer.
MADE := $(VENV)/made.stamp
SERVE := $(VENV)/serve.stamp
DEV := $(VENV)/dev.stamp

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help run test lint bench lock
.DELETE_ON_ERROR:

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: $(SERVE) ## install what serving needs, then start everything; Ctrl-C stops it
	@exec $(BIN)/verdict run

test: lint ## install what development needs, then lint, types, import contracts, all tests
	$(BIN)/pytest

lint: $(DEV) ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(DEV) ## measure the classifier alone and the whole path, in one run
	$(BIN)/python -m load.bench

lock: $(DEV) ## compute requirements/*.txt anew from pyproject.toml
	echo 'setuptools>=80' | $(COMPILE) - --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --extra api --extra worker --extra embedded --output-file requirements/serve.txt
	$(COMPILE) pyproject.toml --all-extras --override requirements/overrides.txt \
		--constraint requirements/serve.txt --output-file requirements/dev.txt

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Verdict needs Python 3.11 (PYTHON=…)")'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(SERVE): requirements/build.txt requirements/serve.txt pyproject.toml | $(MADE)
	@echo "installing what serving needs (once)"
	@$(LOCKED) -r requirements/build.txt
	@$(LOCKED) -r requirements/serve.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(SERVE) requirements/torch.txt requirements/dev.txt
	@echo "installing what development needs (once; torch among it)"
	@$(INSTALL) -r requirements/torch.txt
	@$(LOCKED) -r requirements/dev.txt
	@touch $@
