# ConvRNN. `make help` lists what there is.
# Needs Python >= 3.11, make and git; everything else is installed into .venv/ from requirements.lock.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
# Where this is set, every command would compile TensorFlow's and Keras' sources anew: 15 s each time.
unexport PYTHONDONTWRITEBYTECODE

# Where things lie; `make demo` is the same road with ROOT=demo/.
ROOT ?=
DATA ?= $(ROOT)data
HUMAN_SET ?= $(ROOT)human
RUNS ?= $(ROOT)runs
REPORT ?= $(ROOT)report/index.html
COMPARISON ?= $(ROOT)compare
SAMPLE := $(ROOT)sample

REGIMES := color grayscale noise blur
PERTURB ?=
RUN ?= $(RUNS)/$(PERTURB)
PREPARE_FLAGS ?=
EVALUATE_FLAGS ?=
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 1
COMPARE_FLAGS ?=
REPORT_FLAGS ?=
# Tests at a time: each process takes up to 4 GB.
TEST_PROCESSES ?= 2
CHAOS_KILLS ?= 300
CHAOS_SEED ?= 0

# A small network, trained from nothing, for the drawn sample; real photographs take the published weights.
SMALL := --weights none --trainable all --width 0.0625 --image-size 64 --batch-size 16 --epochs 16 \
	--learning-rate 0.005 --epsilon 1e-7 --schedule cosine --warmup-epochs 1 --clip-norm 1
DEMO_COLOR := --epochs 8
DEMO_BLUR := --weights demo/runs/color/weights.h5 --width 0.0625 --image-size 64 --batch-size 64 --views 2 --epochs 10 \
	--learning-rate 0.01 --epsilon 1e-7
DRAWN := $(wildcard $(SAMPLE)/imagenet)
TRAIN_FLAGS ?= $(if $(DRAWN),$(SMALL))

BIN := .venv/bin
READY := .venv/.ready
UV := $(shell command -v uv || echo .tools/bin/uv)
PACKAGES := data model experiments
LOCK := pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	$(PACKAGES:%=--no-emit-package convrnn-%) --group pyproject.toml:dev $(PACKAGES:%=packages/convrnn-%/pyproject.toml)

# People's answers: the download's, or the simulated ones.
ANSWERS ?= $(or $(HUMAN),$(wildcard $(SAMPLE)/human))
EVALUATED = $(patsubst %/evaluation,%,$(wildcard $(RUNS)/*/evaluation))

# ILSVRC's validation images, without those that people were shown where these are at hand.
VALIDATION_FLAGS = $(if $(VALIDATION),--validation $(VALIDATION) $(if $(VALIDATION_LABELS),--validation-labels $(VALIDATION_LABELS)) \
	$(if $(HUMAN),--exclude-stimuli $(HUMAN)))

# Said before anything is installed or read.
ifneq ($(filter train evaluate,$(MAKECMDGOALS)),)
ifeq ($(filter $(REGIMES),$(PERTURB)),)
$(error PERTURB is '$(PERTURB)'; it takes one of: $(REGIMES), as in `make train PERTURB=noise`)
endif
endif
ifneq ($(filter compare report,$(MAKECMDGOALS)),)
ifeq ($(EVALUATED),)
$(error No run in $(RUNS)/ has been evaluated; do make train PERTURB=... and make evaluate PERTURB=... first)
endif
endif
ifneq ($(filter compare,$(MAKECMDGOALS)),)
ifeq ($(ANSWERS),)
$(error compare needs people's answers: HUMAN=/path/to/osf, the folder with jatos_results_*.txt)
endif
endif
ifneq ($(IMAGENET),)
ifeq ($(wildcard $(IMAGENET)),)
$(error IMAGENET=$(IMAGENET) does not exist; give the folder or the tar that holds ILSVRC2012's training images)
endif
endif
ifneq ($(VALIDATION),)
ifeq ($(IMAGENET),)
$(error VALIDATION=$(VALIDATION) goes with IMAGENET=/path/to/ILSVRC2012, the training images)
endif
ifeq ($(wildcard $(VALIDATION)),)
$(error VALIDATION=$(VALIDATION) does not exist; give ILSVRC2012_img_val.tar, a folder of its images, or class folders of them)
endif
endif
ifneq ($(HUMAN),)
ifeq ($(wildcard $(HUMAN)),)
$(error HUMAN=$(HUMAN) does not exist; give the folder that OSF project 2cpmb was downloaded to)
endif
endif

.PHONY: help setup data train evaluate compare report demo docs notebook test test-all check format lock lock-check test-alone test-backends packages test-packages fuzz bench chaos clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  With real data:  make data IMAGENET=/path/to/ILSVRC2012 VALIDATION=/path/to/ILSVRC2012_img_val.tar HUMAN=/path/to/osf"
	@echo "                   make train PERTURB=noise   then   make evaluate PERTURB=noise   and   make report"

setup: $(READY) ## Install everything into .venv/ (every other target does it when needed)

# CITATION.cff says the version.
$(READY): requirements.lock pyproject.toml CITATION.cff $(PACKAGES:%=packages/convrnn-%/pyproject.toml) | $(filter .tools/%,$(UV))
	@$(PYTHON) -c 'import sys; sys.exit("ConvRNN needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another with make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv/ ..."
	@$(UV) venv --quiet --allow-existing --no-python-downloads --python "$$(command -v $(PYTHON))" .venv
	@$(UV) pip sync --quiet --python .venv --require-hashes requirements.lock
	@$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation $(PACKAGES:%=-e packages/convrnn-%)
	@touch $@

# Where there is no uv: the pinned one, with its hash, into an environment of its own.
.tools/bin/uv:
	@echo "Getting uv into .tools/ ..."
	@$(PYTHON) -m venv .tools || { echo "make: $(PYTHON) cannot make environments; install its venv module (Debian: python3-venv) or uv" >&2; rm -rf .tools; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .tools/uv.txt
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .tools/uv.txt

data: $(READY) ## Prepare IMAGENET=..., VALIDATION=... and HUMAN=...; without them, draw a sample and prepare that
ifeq ($(IMAGENET)$(HUMAN),)
	@echo "Neither IMAGENET= nor HUMAN= was given: this is the DRAWN sample, with SIMULATED observers."
	@test -d $(SAMPLE) || $(BIN)/convrnn-data sample $(SAMPLE)
	@$(BIN)/convrnn-data prepare $(SAMPLE)/imagenet $(DATA) --images all --val 0.2 $(PREPARE_FLAGS)
	@test -d $(HUMAN_SET) || $(BIN)/convrnn-data reformat $(SAMPLE)/human $(HUMAN_SET)
else
ifneq ($(IMAGENET),)
	@$(BIN)/convrnn-data prepare $(IMAGENET) $(DATA) $(VALIDATION_FLAGS) $(PREPARE_FLAGS)
endif
ifneq ($(HUMAN),)
	@if test -d $(HUMAN_SET); then echo "$(HUMAN_SET) is there and stays as it is"; \
	 else $(BIN)/convrnn-data reformat $(HUMAN) $(HUMAN_SET); fi
endif
endif

train: $(READY) ## Train PERTURB=color|grayscale|noise|blur; goes on where it was stopped; TRAIN_FLAGS=... for more
	@$(BIN)/convrnn train $(DATA) --perturb $(PERTURB) $(TRAIN_FLAGS) --out $(RUN) --resume

evaluate: $(READY) ## Evaluate the run of PERTURB=... on the human stimuli (the validation split where there are none)
	@$(BIN)/convrnn evaluate $(RUN) $(if $(wildcard $(HUMAN_SET)),$(HUMAN_SET),$(DATA)) $(EVALUATE_FLAGS)

compare: $(READY) ## Compare networks with people, in one table of conditions and measures; HUMAN=... has their answers
	@$(BIN)/convrnn compare $(EVALUATED) $(if $(ANSWERS),--human $(ANSWERS)) --out $(COMPARISON) $(COMPARE_FLAGS)

report: $(READY) ## Write report/index.html on all evaluated runs; HUMAN=... puts people beside them
	@$(BIN)/convrnn report $(EVALUATED) $(if $(ANSWERS),--human $(ANSWERS)) --out $(REPORT) $(REPORT_FLAGS)

# The readout learns on what the color network sees of blurred pictures: the published recipe, at a small scale.
demo: $(READY) ## Everything on the drawn sample, into demo/ (under five minutes on two cores)
	@$(MAKE) --no-print-directory data ROOT=demo/
	@$(MAKE) --no-print-directory train evaluate ROOT=demo/ PERTURB=color TRAIN_FLAGS="$(SMALL) $(DEMO_COLOR)"
	@$(MAKE) --no-print-directory train evaluate ROOT=demo/ PERTURB=blur TRAIN_FLAGS="$(DEMO_BLUR)"
	@$(MAKE) --no-print-directory compare report ROOT=demo/

docs: $(READY) ## Build the pages of docs/ into site/ (any warning is an error)
	@$(BIN)/python docs/write_commands.py
	@$(BIN)/python -m sphinx -W --keep-going --quiet -d .venv/doctrees docs site
	@rm -rf jupyter_execute  # the notebook's outputs once more, which myst-nb leaves beside site/
	@echo "pages: site/index.html"

notebook: $(READY) ## Run docs/from-weights-to-sat.ipynb again, in place (minutes)
	@$(BIN)/python docs/run_notebook.py

# Neighbouring tests go to one process, so that fixtures are mostly made once.
PARALLEL := -n $(TEST_PROCESSES) --dist worksteal

test: $(READY) ## Lint, check the lock, test each package alone, then what uses them together
	@$(MAKE) --no-print-directory check lock-check test-alone
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow" --tested-alone

test-all: $(READY) ## Everything in `make test`, and the tests that take minutes
	@$(MAKE) --no-print-directory check lock-check test-alone
	@$(BIN)/python -m pytest $(PARALLEL)

check: $(READY) ## Style and types, in seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY) ## Put the code into the project's style
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: $(READY) ## Renew requirements.lock from the pyproject files
	@$(BIN)/uv $(LOCK) --upgrade -o requirements.lock

lock-check: $(READY) ## Whether requirements.lock satisfies the pyproject files
	@cp requirements.lock .venv/lock.txt && $(BIN)/uv $(LOCK) -o .venv/lock.txt && diff -q requirements.lock .venv/lock.txt >/dev/null \
	 || { echo "requirements.lock does not fit the pyproject files; run make lock" >&2; exit 1; }

# With its own dependencies only, so that an undeclared import fails.
test-alone: $(READY) ## Test convrnn-data and convrnn-model, each in an environment of its own
	@for package in data model; do \
	   echo "convrnn-$$package alone"; \
	   extra=$$(test $$package = model && echo "[tensorflow]"); \
	   $(BIN)/uv venv --quiet --clear --no-python-downloads --python $(BIN)/python .venv-$$package; \
	   $(BIN)/uv pip install --quiet --python .venv-$$package --constraint requirements.lock "./packages/convrnn-$$package$$extra" pytest pytest-timeout pytest-xdist hypothesis hatchling scipy || exit 1; \
	   .venv-$$package/bin/python -m pytest -q $(PARALLEL) -m "not slow" tests/$$package || exit 1; \
	 done

# PyTorch by pip, which takes a CPU build where one is at hand; it is in no lock, since its CUDA packages weigh gigabytes.
test-backends: $(READY) ## Test convrnn-model on JAX and on PyTorch, with the example (minutes; PyTorch goes into .venv-torch/)
	@KERAS_BACKEND=jax $(BIN)/python -m pytest -q tests/model
	@test -d .venv-torch || $(BIN)/python -m venv .venv-torch
	@sed -n '/^[a-z]/,/[^\\]$$/p' requirements.lock | grep -E '^[a-z0-9.-]+==' | sed 's/ *\\$$//' > .venv-torch/constraints.txt
	@.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-torch/constraints.txt \
	   torch==2.13.0 ./packages/convrnn-model pytest pytest-timeout hypothesis pillow scipy
	@KERAS_BACKEND=torch .venv-torch/bin/python -m pytest -q tests/model tests/examples

packages: $(READY) ## Build the wheels and sdists of the three packages into dist/, and check them
	@rm -rf dist
	@for package in $(PACKAGES); do \
	   $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist packages/convrnn-$$package || exit 1; \
	 done
	@$(BIN)/python -m twine --no-color check --strict dist/*.whl dist/*.tar.gz

# What each package is tested with: the files from dist/ that it needs, in no reach of the sources.
BUILT ?= wheel
ENDING_wheel := -py3-none-any.whl
ENDING_sdist := .tar.gz
DIST = dist/convrnn_$(1)-$(shell sed -n 's/^version: //p' CITATION.cff)$(ENDING_$(BUILT))
DISTS_data = $(call DIST,data)
DISTS_model = $(call DIST,model)[tensorflow]
DISTS_experiments = $(DISTS_data) $(DISTS_model) $(call DIST,experiments)
# Named by the version: every `python3` of several Pythons would otherwise take the other's folder.
EMPTY = .venv-$(shell $(PYTHON) -c 'import sys; print("{}.{}".format(*sys.version_info))')-$*

test-packages: packages $(PACKAGES:%=.test-built-%) ## Test the built packages, each in an empty environment of PYTHON=python3.13, say; BUILT=sdist for those

.test-built-%: packages
	@echo "convrnn-$* from the $(BUILT) in dist/ on $$($(PYTHON) --version)"
	@$(BIN)/uv venv --quiet --clear --no-python-downloads --python "$$(command -v $(PYTHON))" $(EMPTY)
	@$(BIN)/uv pip install --quiet --python $(EMPTY) --constraint requirements.lock $(DISTS_$*) \
	   pytest pytest-timeout hypothesis hatchling scikit-learn scipy
	@$(EMPTY)/bin/python -m pytest -q -m "not slow" tests/$*

# On Keras' NumPy backend, which is imported fastest.
fuzz: $(READY) ## Fuzz every parser for FUZZ_SECONDS=600 each (hours); minimised findings go to fuzz-findings/
	@KERAS_BACKEND=numpy PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

bench: $(READY) ## Time what matters (many minutes); results in benchmarks/results/
	@for file in $(filter-out %/common.py,$(wildcard benchmarks/*.py)); do echo "$$file"; $(BIN)/python $$file || exit 1; done

chaos: $(READY) ## Break every file operation of every command, and kill at CHAOS_KILLS=300 random moments (hours)
	@CONVRNN_EXHAUSTIVE=1 CONVRNN_KILLS=$(CHAOS_KILLS) CONVRNN_KILLS_SEED=$(CHAOS_SEED) $(BIN)/python -m pytest -rP $(PARALLEL) tests/faults

clean: ## Remove environments, caches, site/ and demo/ (data, runs and reports of yours stay)
	rm -rf .venv .venv-* .tools demo site jupyter_execute dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
