# Needs Python 3.11 with venv and pip, gcc and make; `make` alone lists the commands.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
LOCKED := $(INSTALL) --require-hashes --no-deps

# A stamp marks a complete installation; a newer lock file repeats it.
MADE := $(VENV)/made.stamp
SERVE := $(VENV)/serve.stamp
DEV := $(VENV)/dev.stamp

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help run test lint docs bench load compose-test lock
.DELETE_ON_ERROR:

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: $(SERVE) ## install the packages of the service, then start everything; Ctrl-C stops it
	@exec $(BIN)/verdict run

test: lint ## install the packages of development, then style, types, import contracts, all tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile

lint: $(DEV) ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(DEV) ## write the pages that are made from code, then build the documentation as a site: build/site
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(DEV) ## measure the classifier alone and the whole path, in one run
	$(BIN)/python -m benchmarks.service.bench

# WHAT is run, ramp, overload or reference; options that are not given have the defaults of that command.
WHAT := run
load: $(DEV) ## USERS=500 RATE=60 SECONDS=600 MIX=people URL= WHAT=run: users on a service, and a report
	$(BIN)/python -m benchmarks.users.load $(if $(URL),--url $(URL)) $(if $(USERS),--users $(USERS)) $(if $(MIX),--mix $(MIX)) \
		$(if $(PROMETHEUS),--prometheus $(PROMETHEUS)) $(WHAT) $(if $(RATE),--rate $(RATE)) $(if $(SECONDS),--seconds $(SECONDS))

compose-test: $(SERVE) ## build the images, bring all of compose.yaml up, break it, count, remove it; needs Docker
	@$(BIN)/python -m tests.compose

lock: $(DEV) ## compute requirements/*.txt anew from pyproject.toml
	echo 'setuptools>=80' | $(COMPILE) - --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --extra api --extra worker --extra embedded --output-file requirements/serve.txt
	$(COMPILE) pyproject.toml --all-extras --override requirements/overrides.txt \
		--constraint requirements/serve.txt --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --extra api --extra otel --constraint requirements/dev.txt --output-file requirements/api.txt
	$(COMPILE) pyproject.toml --extra worker --extra otel --constraint requirements/dev.txt \
		--output-file requirements/worker.txt
	echo 'onnxruntime-gpu[cuda,cudnn]>=1.31,<1.32' | $(COMPILE) - pyproject.toml --extra worker --extra otel --extra gpu \
		--override requirements/overrides-gpu.txt --constraint requirements/dev.txt --output-file requirements/worker-gpu.txt

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Verdict needs Python 3.11 (PYTHON=…)")'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(SERVE): requirements/build.txt requirements/serve.txt pyproject.toml clients/python/pyproject.toml | $(MADE)
	@echo "installing the packages of the service (once)"
	@$(LOCKED) -r requirements/build.txt
	@$(LOCKED) -r requirements/serve.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable ./clients/python --editable .
	@touch $@

$(DEV): $(SERVE) requirements/torch.txt requirements/dev.txt
	@echo "installing the packages of development, torch included (once)"
	@$(INSTALL) -r requirements/torch.txt
	@$(LOCKED) -r requirements/dev.txt
	@touch $@
