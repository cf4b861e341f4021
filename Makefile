# Every target builds .venv by itself when it is missing or older than the pins. Needs Python 3.11+, git and make only.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# The demo needs a part of it only, so a first look does not wait for browsers, docs and tests.
DEMO := .venv/.demo
INSTALL := $(BIN)/python -m pip install --constraint constraints.txt --no-compile --progress-bar off

.PHONY: help fuzz demo test test-quick lessons lab dashboard docs lint chaos bench bench-full

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(DEMO)  ## extract from a real and a generated scene what three instructions ask for, write demo_output/
	$(BIN)/python -m spex_nb.cli.demo

test: $(READY)  ## run all tests and the lessons
	$(BIN)/python -m pytest tests
	$(MAKE) lessons

test-quick: $(READY)  ## run before each commit: no browser, no training, under two minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not slow and not browser" --numprocesses 2 --dist loadfile

fuzz: $(READY)  ## 12,500 generated rasters, texts, checkpoints, results and sessions in child processes: some hours on two cores
	$(BIN)/python -m tests.fuzz.run

lessons: $(READY)  ## run all lessons with their solutions, offline; print time and memory; with outputs in build/lessons
	$(BIN)/python -m tests.run_lessons

lab: $(READY)  ## open JupyterLab on the workbench, which shows a scene at once; the first lesson follows it
	$(BIN)/jupyter lab --LabApp.extra_labextensions_path=widgets/first_sight notebooks/00_quickstart.ipynb

docs: $(READY)  ## write the documentation as a site to build/site, with the outputs of lessons that `make lessons` left
	rm -rf build/site
	$(BIN)/python -m sphinx --quiet --fail-on-warning --fresh-env --conf-dir docs/site --doctree-dir build/doctrees . build/site
	@echo "Open build/site/index.html"

dashboard: $(READY)  ## serve the workbench as a page of its own, without JupyterLab, lesson or code
	$(BIN)/voila notebooks/dashboard.ipynb --template=spex --Voila.ip=127.0.0.1

lint: $(READY)  ## ruff, ruff format, mypy strict, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(READY)  ## kill, starve and disturb every writer at random, and compare with undisturbed runs: an hour on two cores
	$(BIN)/python -m tests.chaos

bench: $(READY)  ## measure beside what a user would pick instead; rewrites docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.run

bench-full: $(READY)  ## measure the released sizes: some minutes, 12 GB of memory
	$(BIN)/python -m tests.benchmarks.full_model

$(DEMO): pyproject.toml constraints.txt | .venv/bin/python
	@if [ -e $(READY) ] && [ $(READY) -nt constraints.txt ] && [ $(READY) -nt pyproject.toml ]; then touch $(DEMO); else \
		echo "1 of 2: fetching and installing about 60 packages for the demo (minutes; torch is the largest)"; \
		$(INSTALL) --editable '.[model]' && touch $(DEMO) && echo "2 of 2: running the demo"; fi

$(READY): pyproject.toml constraints.txt | .venv/bin/python
	@echo "Fetching and installing all packages, about 230 (minutes; torch is the largest)"
	$(INSTALL) --editable '.[map,model,dev]'
	@touch $(READY) $(DEMO)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
