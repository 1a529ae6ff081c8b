# The everyday commands. `make help` lists them.
#
# Variables:  PYTHON=python3.11            the interpreter the environments are made with
#             CHECK=1                      `make demo` without a person
#             PORT= LABEL_STUDIO_PORT=     fixed ports for `make demo` (free ones are chosen otherwise)
#             CLIPS=6 MODEL=               how many clips the demo renders; a model folder or hub id instead of the embedded one
#             PYTEST="-k video"            more arguments for pytest
#             JOBS=400 KILLS=200 SEED=     `make chaos`: how many jobs and kills, and a seed to repeat the draws
#             DATABASE=sqlite LABEL_STUDIO=real SECONDS=
#                                          `make chaos`: on one database only; with the Label Studio of .venv-ls, not a fake one;
#                                          no more kills after so many seconds
#             TIMES=20 LOOPS=2             `make test-flaky`: how often each test runs, beside how many busy loops
#             EXTRAS=ray                   `make check-image`: the extras of the image, as --build-arg gives them
#             SECONDS=1800 FILES=1000 REQUESTS=10000 SEED=
#                                          `make fuzz`: when its last round begins, random videos and requests, a seed to repeat

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_INSTALL := bin/python -m pip install -qq --disable-pip-version-check
VENV := .venv
VENV_LS := .venv-ls
VENV_LSML := .venv-lsml

# Each environment is stamped with a hash of what it was made from: nothing is installed twice, everything is when a pin changes.
hash = $(shell cat $(1) | sha256sum | cut -c1-16)
READY := $(VENV)/.ready-$(call hash,pyproject.toml constraints.txt)
READY_LS := $(VENV_LS)/.ready-$(call hash,constraints-label-studio.txt)
READY_LSML := $(VENV_LSML)/.ready-$(call hash,constraints-label-studio-ml.txt)

.PHONY: help setup setup-all venv-lsml demo test lint fuzz chaos test-flaky check-image clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## the backend's own environment (.venv)

setup-all: $(READY) $(READY_LS) $(READY_LSML) ## also Label Studio's (.venv-ls) and label-studio-ml's (.venv-lsml)

venv-lsml: $(READY_LSML) ## label-studio-ml 1.0.9 for the adapter's test (.venv-lsml)

demo: $(READY) $(READY_LS) ## the whole loop on this machine; CHECK=1 plays the annotator too and exits
	@exec $(VENV)/bin/stvg demo --label-studio $(VENV_LS)/bin/label-studio \
	  $(if $(CHECK),--check) $(if $(PORT),--port $(PORT)) $(if $(LABEL_STUDIO_PORT),--label-studio-port $(LABEL_STUDIO_PORT)) \
	  $(if $(CLIPS),--clips $(CLIPS)) $(if $(MODEL),--model $(MODEL))

lint: $(READY) ## style, types, direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup-all lint ## everything: lint, unit, contract, database, end-to-end and browser tests
	$(VENV)/bin/pytest --durations=15 $(PYTEST)

fuzz: $(READY) ## random videos, requests and examples for the property tests; SECONDS= FILES= REQUESTS= SEED=
	$(VENV)/bin/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(FILES),--files $(FILES)) \
	  $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED)) $(PYTEST)

chaos: $(READY) $(if $(filter real,$(LABEL_STUDIO)),$(READY_LS)) ## kill -9 of workers, web and Label Studio at random moments; LABEL_STUDIO=real DATABASE= JOBS= KILLS= SEED=
	$(VENV)/bin/python -m tests.chaos $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(DATABASE),--database $(DATABASE)) $(if $(LABEL_STUDIO),--label-studio $(LABEL_STUDIO)) $(if $(SECONDS),--seconds $(SECONDS))

test-flaky: setup-all ## some tests many times beside busy loops: PYTEST=tests/browser TIMES=20 LOOPS=
	$(VENV)/bin/python -m tests.flaky $(if $(TIMES),--times $(TIMES)) $(if $(LOOPS),--loops $(LOOPS)) $(PYTEST)

check-image: $(READY) ## run the Dockerfile's install steps in a clean directory with a fresh environment; EXTRAS=
	$(VENV)/bin/python tests/docker/check_image.py

clean: ## remove what the demo and the tools left behind
	rm -rf .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

distclean: clean ## also the environments
	rm -rf $(VENV) $(VENV_LS) $(VENV_LSML)

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@echo 'installing the backend into $(VENV) ...'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/$(PIP_INSTALL) --constraint constraints.txt "$$(grep '^torch==' constraints.txt)" --editable '.[test,postgres]'
	@rm -f $(VENV)/.ready-* && touch $@

$(READY_LS):
	@echo 'installing Label Studio into $(VENV_LS) (two minutes, 1 GB) ...'
	@test -x $(VENV_LS)/bin/python || $(PYTHON) -m venv $(VENV_LS)
	@$(VENV_LS)/$(PIP_INSTALL) --constraint constraints-label-studio.txt label-studio
	@rm -f $(VENV_LS)/.ready-* && touch $@

$(READY_LSML):
	@echo 'installing label-studio-ml into $(VENV_LSML) ...'
	@test -x $(VENV_LSML)/bin/python || $(PYTHON) -m venv $(VENV_LSML)
	@$(VENV_LSML)/$(PIP_INSTALL) --requirement constraints-label-studio-ml.txt
	@rm -f $(VENV_LSML)/.ready-* && touch $@
