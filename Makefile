# ConvRNN. `make help` lists the targets.
# Requires Python >= 3.11, make and git; everything else is installed into .venv/ from requirements.lock.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
# If set, every command recompiles the sources of TensorFlow and Keras, which takes 15 s.
unexport PYTHONDONTWRITEBYTECODE

# Inputs and outputs; `make demo` sets ROOT=demo/.
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
# Training seeds, such as 0-4 or 0,2,7: a run for each, in $(RUN)-seed0 and so on.
SEEDS ?=
TRAINED = $(if $(SEEDS),$(shell printf %s '$(SEEDS)' | awk -F - -v RS=, '{for (s = $$1 + 0; s <= $$NF + 0; s++) print "$(RUN)-seed" s}'),$(RUN))
PUBLISHED := bl_imagenet bl_ecoset b_imagenet
WEIGHTS ?= bl_imagenet
PREPARE_FLAGS ?=
EVALUATE_FLAGS ?=
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 1
COMPARE_FLAGS ?=
REPORT_FLAGS ?=
# Number of test processes; each takes up to 4 GB.
TEST_PROCESSES ?= 2
CHAOS_KILLS ?= 300
CHAOS_SEED ?= 0

# Small network trained from scratch on the drawn sample; on photographs, training starts from the published weights.
SMALL := --weights none --trainable all --width 0.0625 --image-size 64 --batch-size 16 --epochs 16 \
	--learning-rate 0.005 --epsilon 1e-7 --schedule cosine --warmup-epochs 1 --clip-norm 1
# Five time steps, as many as response-time blocks, are trained in two thirds of the time of eight.
DEMO_COLOR := --epochs 6 --timesteps 5
DEMO_BLUR := --weights demo/runs/color/weights.h5 --timesteps 5 --width 0.0625 --image-size 64 --batch-size 64 --views 2 --epochs 10 \
	--learning-rate 0.01 --epsilon 1e-7
DRAWN := $(wildcard $(SAMPLE)/imagenet)
TRAIN_FLAGS ?= $(if $(DRAWN),$(SMALL))

BIN := .venv/bin
READY := .venv/.ready
UV := $(shell command -v uv || echo .tools/bin/uv)
PACKAGES := data model experiments
LOCK := pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	$(PACKAGES:%=--no-emit-package convrnn-%) --group pyproject.toml:dev $(PACKAGES:%=packages/convrnn-%/pyproject.toml)

# Human answers if HUMAN is given, otherwise those of the simulated observers.
ANSWERS ?= $(or $(HUMAN),$(wildcard $(SAMPLE)/human))
EVALUATED = $(patsubst %/evaluation,%,$(wildcard $(RUNS)/*/evaluation)) $(ROWS)

# ILSVRC's validation images; if HUMAN is given, without near-duplicates of the human stimuli.
VALIDATION_FLAGS = $(if $(VALIDATION),--validation $(VALIDATION) $(if $(VALIDATION_LABELS),--validation-labels $(VALIDATION_LABELS)) \
	$(if $(HUMAN),--exclude-stimuli $(HUMAN)))

# Check the variables before anything is installed.
ifneq ($(filter train evaluate,$(MAKECMDGOALS)),)
ifeq ($(filter $(REGIMES),$(PERTURB)),)
$(error PERTURB must be one of $(REGIMES), got '$(PERTURB)'. Example: make train PERTURB=noise)
endif
endif
ifneq ($(filter compare report,$(MAKECMDGOALS)),)
ifeq ($(EVALUATED),)
$(error $(RUNS)/ has no evaluated run. Run make train PERTURB=... and make evaluate PERTURB=... first)
endif
endif
ifneq ($(filter compare,$(MAKECMDGOALS)),)
ifeq ($(ANSWERS),)
$(error compare needs human answers. Pass HUMAN=/path/to/osf, the folder with jatos_results_*.txt)
endif
endif
ifneq ($(IMAGENET),)
ifeq ($(wildcard $(IMAGENET)),)
$(error IMAGENET=$(IMAGENET) does not exist. Give the folder or tar with ILSVRC2012's training images)
endif
endif
ifneq ($(VALIDATION),)
ifeq ($(IMAGENET),)
$(error VALIDATION=$(VALIDATION) needs the training images. Pass IMAGENET=/path/to/ILSVRC2012)
endif
ifeq ($(wildcard $(VALIDATION)),)
$(error VALIDATION=$(VALIDATION) does not exist. Give ILSVRC2012_img_val.tar, a folder of its images, or class folders)
endif
endif
ifneq ($(HUMAN),)
ifeq ($(wildcard $(HUMAN)),)
$(error HUMAN=$(HUMAN) does not exist. Give the folder with the download of OSF project 2cpmb)
endif
endif

ifneq ($(filter quick,$(MAKECMDGOALS)),)
ifeq ($(filter $(PUBLISHED),$(WEIGHTS))$(wildcard $(WEIGHTS)),)
$(error WEIGHTS=$(WEIGHTS) does not exist. Give a weights file, or one of $(PUBLISHED))
endif
endif

.PHONY: help setup data train evaluate compare report demo quick docs notebook test test-all check format lock lock-check test-alone test-backends packages test-packages fuzz bench chaos clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  With real data:  make data IMAGENET=/path/to/ILSVRC2012 VALIDATION=/path/to/ILSVRC2012_img_val.tar HUMAN=/path/to/osf"
	@echo "                   make train PERTURB=noise   then   make evaluate PERTURB=noise   and   make report"

setup: $(READY) ## Install everything into .venv/ (other targets do this if needed)

# CITATION.cff defines the version.
$(READY): requirements.lock pyproject.toml CITATION.cff $(PACKAGES:%=packages/convrnn-%/pyproject.toml) | $(filter .tools/%,$(UV))
	@$(PYTHON) -c 'import sys; sys.exit("ConvRNN needs Python 3.11 or later, got " + sys.version.split()[0] + " ($(PYTHON)). Choose another: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv/ ..."
	@$(UV) venv --quiet --allow-existing --no-python-downloads --python "$$(command -v $(PYTHON))" .venv
	@$(UV) pip sync --quiet --python .venv --require-hashes requirements.lock
	@$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation $(PACKAGES:%=-e packages/convrnn-%)
	@touch $@

# If uv is not installed: the pinned version, checked against its hash, in a separate environment.
.tools/bin/uv:
	@echo "Installing uv into .tools/ ..."
	@$(PYTHON) -m venv .tools || { echo "make: $(PYTHON) cannot create virtual environments. Install its venv module (Debian: python3-venv) or uv" >&2; rm -rf .tools; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .tools/uv.txt
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .tools/uv.txt

data: $(READY) ## Prepare IMAGENET=..., VALIDATION=... and HUMAN=...; by default, draw and prepare a sample
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
	@if test -d $(HUMAN_SET); then echo "$(HUMAN_SET) exists already and is not changed"; \
	 else $(BIN)/convrnn-data reformat $(HUMAN) $(HUMAN_SET); fi
endif
endif

train: $(READY) ## Train PERTURB=color|grayscale|noise|blur, or resume; SEEDS=0-4 trains a run per seed; TRAIN_FLAGS=... passes other options
	@$(BIN)/convrnn train $(DATA) --perturb $(PERTURB) $(TRAIN_FLAGS) $(if $(SEEDS),--seeds $(SEEDS)) --out $(RUN) --resume

evaluate: $(READY) ## Evaluate the run of PERTURB=... (of each of SEEDS=...) on the human stimuli, or on the validation split without them
	@for run in $(TRAINED); do \
	   $(BIN)/convrnn evaluate $$run $(if $(wildcard $(HUMAN_SET)),$(HUMAN_SET),$(DATA)) $(EVALUATE_FLAGS) || exit 1; \
	 done

compare: $(READY) ## Compare networks with humans in one table; HUMAN=... has the answers, ROWS="net.csv ..." adds other networks
	@$(BIN)/convrnn compare $(EVALUATED) $(if $(ANSWERS),--human $(ANSWERS)) --out $(COMPARISON) $(COMPARE_FLAGS)

report: $(READY) ## Write report/index.html on all evaluated runs; HUMAN=... adds the human data, ROWS="net.csv ..." other networks
	@$(BIN)/convrnn report $(EVALUATED) $(if $(ANSWERS),--human $(ANSWERS)) --out $(REPORT) $(REPORT_FLAGS)

# The blur readout is trained on features of the frozen color network: the published recipe at a small scale.
demo: $(READY) ## Run the whole pipeline on the drawn sample, in demo/ (under five minutes on two cores)
	@$(MAKE) --no-print-directory data ROOT=demo/
	@$(MAKE) --no-print-directory train evaluate ROOT=demo/ PERTURB=color TRAIN_FLAGS="$(SMALL) $(DEMO_COLOR)"
	@$(MAKE) --no-print-directory train evaluate ROOT=demo/ PERTURB=blur TRAIN_FLAGS="$(DEMO_BLUR)"
	@$(MAKE) --no-print-directory compare report ROOT=demo/

# BL at full width takes about 0.2 s per image on two cores, so the drawn test sets are small.
QUICK := quick
QUICK_SAMPLE ?= --images-per-category 1 --trials 32 --observers 4
QUICK_HUMAN = $(or $(HUMAN),$(QUICK)/sample/human)
QUICK_RUN = $(QUICK)/runs/$(basename $(notdir $(WEIGHTS)))

quick: $(READY) ## Compare WEIGHTS=bl_imagenet|FILE with HUMAN=... (or a drawn sample) without training, in quick/
ifeq ($(HUMAN),)
	@echo "HUMAN= was not given: these are DRAWN stimuli, with SIMULATED observers."
	@test -d $(QUICK)/sample || $(BIN)/convrnn-data sample $(QUICK)/sample $(QUICK_SAMPLE)
endif
	@$(BIN)/convrnn evaluate $(WEIGHTS) $(QUICK_HUMAN) --out $(QUICK_RUN) $(EVALUATE_FLAGS)
	@$(BIN)/convrnn report $(QUICK_RUN) --human $(QUICK_HUMAN) --out $(QUICK)/report/index.html $(REPORT_FLAGS)

docs: $(READY) ## Build the pages of docs/ into site/ (any warning is an error)
	@$(BIN)/python docs/write_commands.py
	@$(BIN)/python -m sphinx -W --keep-going --quiet -d .venv/doctrees docs site
	@rm -rf jupyter_execute  # copies of the notebook's outputs, left by myst-nb
	@echo "pages: site/index.html"

notebook: $(READY) ## Execute docs/from-weights-to-sat.ipynb in place (minutes)
	@$(BIN)/python docs/run_notebook.py

# Adjacent tests run in one process, so that most fixtures are created once.
PARALLEL := -n $(TEST_PROCESSES) --dist worksteal

test: $(READY) ## Run checks, test each package alone, then all packages together
	@$(MAKE) --no-print-directory check lock-check test-alone
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow" --tested-alone

test-all: $(READY) ## Run `make test` and the slow tests (tens of minutes)
	@$(MAKE) --no-print-directory check lock-check test-alone
	@$(BIN)/python -m pytest $(PARALLEL)

check: $(READY) ## Check style and types, in seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY) ## Format the code and apply automatic fixes
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: $(READY) ## Update requirements.lock from the pyproject files
	@$(BIN)/uv $(LOCK) --upgrade -o requirements.lock

lock-check: $(READY) ## Check that requirements.lock satisfies the pyproject files
	@cp requirements.lock .venv/lock.txt && $(BIN)/uv $(LOCK) -o .venv/lock.txt && diff -q requirements.lock .venv/lock.txt >/dev/null \
	 || { echo "requirements.lock does not satisfy the pyproject files. Run make lock" >&2; exit 1; }

# Each environment has only the declared dependencies, so that an undeclared import fails.
test-alone: $(READY) ## Test convrnn-data and convrnn-model, each in a separate environment
	@for package in data model; do \
	   echo "convrnn-$$package alone"; \
	   extra=$$(test $$package = model && echo "[tensorflow]"); \
	   $(BIN)/uv venv --quiet --clear --no-python-downloads --python $(BIN)/python .venv-$$package; \
	   $(BIN)/uv pip install --quiet --python .venv-$$package --constraint requirements.lock "./packages/convrnn-$$package$$extra" pytest pytest-timeout pytest-xdist hypothesis hatchling scipy || exit 1; \
	   .venv-$$package/bin/python -m pytest -q $(PARALLEL) -m "not slow" tests/$$package || exit 1; \
	 done

# PyTorch is not in requirements.lock, because its CUDA packages take gigabytes; pip uses a CPU build if one is available.
test-backends: $(READY) ## Test convrnn-model with only JAX and with only PyTorch, and the examples (tens of minutes; .venv-jax/, .venv-torch/)
	@for backend in jax torch; do \
	   echo "convrnn-model with only $$backend"; \
	   test -d .venv-$$backend || $(BIN)/python -m venv .venv-$$backend; \
	   sed -n '/^[a-z]/,/[^\\]$$/p' requirements.lock | grep -E '^[a-z0-9.-]+==' | sed 's/ *\\$$//' > .venv-$$backend/constraints.txt; \
	   .venv-$$backend/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-$$backend/constraints.txt \
	     $$(test $$backend = torch && echo torch==2.13.0) "./packages/convrnn-model[$$backend,classify]" \
	     pytest pytest-timeout hypothesis scikit-learn scipy || exit 1; \
	   KERAS_BACKEND=$$backend .venv-$$backend/bin/python -m pytest -q tests/model tests/examples || exit 1; \
	 done

packages: $(READY) ## Build and check the wheels and source distributions of the packages, in dist/
	@rm -rf dist
	@for package in $(PACKAGES); do \
	   $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist packages/convrnn-$$package || exit 1; \
	 done
	@$(BIN)/python -m twine --no-color check --strict dist/*.whl dist/*.tar.gz

# Distributions that the tests of each package install, so that the sources cannot be imported.
BUILT ?= wheel
ENDING_wheel := -py3-none-any.whl
ENDING_sdist := .tar.gz
DIST = dist/convrnn_$(1)-$(shell sed -n 's/^version: //p' CITATION.cff)$(ENDING_$(BUILT))
DISTS_data = $(call DIST,data)
DISTS_model = $(call DIST,model)[tensorflow]
DISTS_experiments = $(DISTS_data) $(DISTS_model) $(call DIST,experiments)
# The name contains the Python version, because `python3` may be different interpreters.
EMPTY = .venv-$(shell $(PYTHON) -c 'import sys; print("{}.{}".format(*sys.version_info))')-$*

test-packages: packages $(PACKAGES:%=.test-built-%) ## Test the built packages in new environments; PYTHON=python3.13 and BUILT=sdist select others

.test-built-%: packages
	@echo "convrnn-$* from the $(BUILT) in dist/ on $$($(PYTHON) --version)"
	@$(BIN)/uv venv --quiet --clear --no-python-downloads --python "$$(command -v $(PYTHON))" $(EMPTY)
	@$(BIN)/uv pip install --quiet --python $(EMPTY) --constraint requirements.lock $(DISTS_$*) \
	   pytest pytest-timeout hypothesis hatchling scikit-learn scipy
	@$(EMPTY)/bin/python -m pytest -q -m "not slow" tests/$*

# Keras' NumPy backend is imported fastest.
fuzz: $(READY) ## Fuzz every parser for FUZZ_SECONDS=600 each (hours); writes minimised findings to fuzz-findings/
	@KERAS_BACKEND=numpy PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

bench: $(READY) ## Run all benchmarks (many minutes); results in benchmarks/results/
	@for file in $(filter-out %/common.py,$(wildcard benchmarks/*.py)); do echo "$$file"; $(BIN)/python $$file || exit 1; done

chaos: $(READY) ## Inject faults into all file operations, and kill at CHAOS_KILLS=300 random moments (hours)
	@CONVRNN_EXHAUSTIVE=1 CONVRNN_KILLS=$(CHAOS_KILLS) CONVRNN_KILLS_SEED=$(CHAOS_SEED) $(BIN)/python -m pytest -rP $(PARALLEL) tests/faults

clean: ## Remove environments, caches, site/, demo/ and quick/, but not your data, runs and reports
	rm -rf .venv .venv-* .tools demo quick site jupyter_execute dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
