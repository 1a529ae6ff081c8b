# The everyday commands. `make help` lists them.
#
# Variables:  PYTHON=python3.11            the interpreter the environments are made with
#             CHECK=1                      `make demo` without a person
#             PORT= LABEL_STUDIO_PORT=     fixed ports for `make demo` (free ones are chosen otherwise)
#             CLIPS=6 MODEL=               how many clips the demo renders; a model folder or hub id instead of the embedded one
#             VIDEOS=folder                `make demo` with your own videos: a folder with a tasks.csv (video,query)
#             PYTEST="-k video"            more arguments for pytest
#             PROCESSES=2                  so many test processes at a time (as many as there are cores, at most 4); 0: in one, for a debugger
#             JOBS=400 KILLS=200 SEED=     `make chaos`: how many jobs and kills, and a seed to repeat the draws
#             DATABASE=sqlite LABEL_STUDIO=real SECONDS=
#                                          `make chaos`: on one database only; with the Label Studio of .venv-ls, not a fake one;
#                                          no more kills after so many seconds
#             TIMES=20 LOOPS=2             `make test-flaky`: how often each test runs, beside how many busy loops
#             EXTRAS=ray                   `make check-image`: the extras of the image, as --build-arg gives them
#             SECONDS=3600 MODULES= EVERY=7 AGAIN=1 ANEW=1 REPORT=1 NICE=19
#                                          `make mutants`: for how long; some files alone; a sample; what survived once more; all of
#                                          it anew; only say what was found; how far it gives way to other work
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
VENV_MUTANTS := .venv-mutants
VENV_DOCS := .venv-docs
VENV_MANIFESTS := .venv-manifests
MUTMUT := 3.8.1
KUBERNETES_VALIDATE := 1.37.0
# The lowest and the newest release of transformers that pyproject.toml allows, and that the tests have run with.
TRANSFORMERS_LOWEST := 5.21.0
TRANSFORMERS_NEWEST := 5.24.0
PROCESSES ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))

# Each environment is stamped with a hash of what it was made from: nothing is installed twice, everything is when a pin changes.
hash = $(shell cat $(1) | sha256sum | cut -c1-16)
READY := $(VENV)/.ready-$(call hash,pyproject.toml constraints.txt)
READY_LS := $(VENV_LS)/.ready-$(call hash,constraints-label-studio.txt)
READY_LSML := $(VENV_LSML)/.ready-$(call hash,constraints-label-studio-ml.txt)
READY_DOCS := $(VENV_DOCS)/.ready-$(call hash,constraints-docs.txt)
READY_MUTANTS := $(VENV_MUTANTS)/.ready-$(MUTMUT)
READY_MANIFESTS := $(VENV_MANIFESTS)/.ready-$(KUBERNETES_VALIDATE)

.PHONY: help setup setup-all venv-lsml demo test lint fuzz chaos mutants test-transformers test-flaky check-image check-manifests docs clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## the backend's own environment (.venv)

setup-all: $(READY) $(READY_LS) $(READY_LSML) ## also Label Studio's (.venv-ls) and label-studio-ml's (.venv-lsml)

venv-lsml: $(READY_LSML) ## label-studio-ml 1.0.9 for the adapter's test (.venv-lsml)

demo: $(READY) $(READY_LS) ## the whole loop on this machine; CHECK=1 plays the annotator too and exits; VIDEOS=folder takes your own
	@exec $(VENV)/bin/stvg demo --label-studio $(VENV_LS)/bin/label-studio \
	  $(if $(CHECK),--check) $(if $(PORT),--port $(PORT)) $(if $(LABEL_STUDIO_PORT),--label-studio-port $(LABEL_STUDIO_PORT)) \
	  $(if $(CLIPS),--clips $(CLIPS)) $(if $(MODEL),--model $(MODEL)) $(if $(VIDEOS),--videos "$$VIDEOS")

lint: $(READY) ## style, types, direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup-all lint ## everything: lint, unit, contract, database, end-to-end and browser tests
	$(VENV)/bin/pytest --durations=15 --numprocesses $(PROCESSES) --dist loadfile $(PYTEST)

fuzz: $(READY) ## random videos, requests and examples for the property tests; SECONDS= FILES= REQUESTS= SEED=
	$(VENV)/bin/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(FILES),--files $(FILES)) \
	  $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED)) $(PYTEST)

chaos: $(READY) $(if $(filter real,$(LABEL_STUDIO)),$(READY_LS)) ## kill -9 of workers, web and Label Studio at random moments; LABEL_STUDIO=real DATABASE= JOBS= KILLS= SEED=
	$(VENV)/bin/python -m tests.chaos $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(DATABASE),--database $(DATABASE)) $(if $(LABEL_STUDIO),--label-studio $(LABEL_STUDIO)) $(if $(SECONDS),--seconds $(SECONDS))

mutants: $(READY) $(READY_MUTANTS) ## one-line faults in the method: which does no test notice? goes on where it ended; SECONDS= MODULES= AGAIN=1
	PYTHONPATH=$(CURDIR) $(VENV_MUTANTS)/bin/python -m tests.mutants $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(EVERY),--every $(EVERY)) $(if $(NICE),--nice $(NICE)) $(if $(AGAIN),--again) $(if $(ANEW),--anew) $(if $(REPORT),--report) $(if $(MODULES),--modules $(MODULES))

test-transformers: .venv-transformers-$(TRANSFORMERS_LOWEST)/.ready .venv-transformers-$(TRANSFORMERS_NEWEST)/.ready ## tests of models and words with the lowest and the newest transformers
	@for release in $(TRANSFORMERS_LOWEST) $(TRANSFORMERS_NEWEST); do echo "transformers $$release:"; \
	  PYTHONPATH=$(CURDIR) .venv-transformers-$$release/bin/python -m pytest -q -p no:cacheprovider tests/mllm tests/words $(PYTEST) || exit 1; done

test-flaky: setup-all ## some tests many times beside busy loops: PYTEST=tests/browser TIMES=20 LOOPS=
	$(VENV)/bin/python -m tests.flaky $(if $(TIMES),--times $(TIMES)) $(if $(LOOPS),--loops $(LOOPS)) $(PYTEST)

check-image: $(READY) ## run the Dockerfile's install steps in a clean directory with a fresh environment; EXTRAS=
	$(VENV)/bin/python tests/docker/check_image.py

check-manifests: $(READY) $(READY_MANIFESTS) ## the Kubernetes manifests against the schemas of its API
	PYTHONPATH=$(CURDIR) $(VENV_MANIFESTS)/bin/python -m pytest -q -p no:cacheprovider tests/docker/test_kubernetes.py

docs: $(READY) $(READY_DOCS) ## the documentation site into build/site; no broken link, no broken anchor
	PYTHONPATH=$(CURDIR) NO_MKDOCS_2_WARNING=1 $(VENV_DOCS)/bin/python -m mkdocs build --strict --quiet
	@echo "built: $(CURDIR)/build/site/index.html"

clean: ## remove what the demo and the tools left behind
	rm -rf .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .mutants build/site

distclean: clean ## also the environments
	rm -rf $(VENV) $(VENV_LS) $(VENV_LSML) $(VENV_MUTANTS) $(VENV_DOCS) $(VENV_MANIFESTS) .venv-transformers-*

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@echo 'installing the backend into $(VENV) (three minutes, 3 GB) ...'
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

# These four kinds see the packages of $(VENV) behind their own: torch is there once.
share = $(1)/bin/python -c 'import pathlib, sys, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "shared.pth").write_text(sys.argv[1])' \
	  "$$($(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

$(READY_MUTANTS): | $(READY)
	@echo 'installing mutmut into $(VENV_MUTANTS) ...'
	@$(PYTHON) -m venv --clear $(VENV_MUTANTS)
	@$(call share,$(VENV_MUTANTS))
	@$(VENV_MUTANTS)/$(PIP_INSTALL) mutmut==$(MUTMUT)
	@touch $@

$(READY_MANIFESTS): | $(READY)
	@echo 'installing kubernetes-validate into $(VENV_MANIFESTS) ...'
	@$(PYTHON) -m venv --clear $(VENV_MANIFESTS)
	@$(call share,$(VENV_MANIFESTS))
	@$(VENV_MANIFESTS)/$(PIP_INSTALL) --no-compile kubernetes-validate==$(KUBERNETES_VALIDATE)
	@touch $@

$(READY_DOCS): constraints-docs.txt | $(READY)
	@echo 'installing mkdocs into $(VENV_DOCS) ...'
	@$(PYTHON) -m venv --clear $(VENV_DOCS)
	@$(call share,$(VENV_DOCS))
	@$(VENV_DOCS)/$(PIP_INSTALL) --ignore-installed --no-deps --requirement constraints-docs.txt
	@touch $@

.venv-transformers-%/.ready: | $(READY)
	@echo 'installing transformers $* into .venv-transformers-$* ...'
	@$(PYTHON) -m venv --clear .venv-transformers-$*
	@$(call share,.venv-transformers-$*)
	@.venv-transformers-$*/$(PIP_INSTALL) --no-compile transformers==$*
	@touch $@
