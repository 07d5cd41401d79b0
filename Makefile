# Everything a fresh machine needs is made here: a virtual environment in .venv, with the pinned packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What tests reach, branches too, costs a third of their time on Pythons before 3.14: make test COVERAGE= leaves it out.
COVERAGE ?= --cov --cov-report=term
# One more than there are cores, for many tests wait for what they started.
TESTERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

# Set, as it may be in a container, it has every process compile anew what it imports of derainbench.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-full test lint docs bench clean

# Twice: a first table within a minute, then the rest, of which what is done is kept.
demo: $(READY)  ## train and evaluate two small networks on the three embedded datasets, and write a report
	$(BIN)/derainbench run --config studies/demo.toml --datasets demo-streak
	$(BIN)/derainbench run --config studies/demo.toml
	$(BIN)/derainbench report runs/demo

demo-full: $(READY)  ## the same with NASNet and PReNet as published, for a few steps: several minutes
	$(BIN)/derainbench run --methods nasnet,prenet --datasets demo --out runs/demo-full
	$(BIN)/derainbench report runs/demo-full

test: $(READY)  ## the whole test suite, the slow tests too, and which lines and branches no test reaches
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal $(COVERAGE)

lint: $(READY)  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(READY)  ## the documentation as a site, into build/docs; any warning is an error
	$(BIN)/sphinx-build -W --keep-going --quiet -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

bench: $(READY)  ## ratios against plain transcriptions and scikit-image, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.all

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[test,lint,docs,ray,slurm,tensorboard,drive]'
	@# Without what they ask for: torchvision from PyPI does not import beside a CPU build of torch, and nothing here needs it.
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -c constraints.txt spandrel spandrel_extra_arches einops
	touch $@

clean:  ## remove what these targets made, runs excepted
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
