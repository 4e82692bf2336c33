.DEFAULT_GOAL := help
.PHONY: help etl-run test test-all test-faults lab bench bench-identity bench-mutations bench-checks bench-health \
	bench-anomalies health serve clean lock format check-style
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
RALLY := $(BIN)/rally-etl
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# The files that take longest come first, so that neither of the two processes waits for the other at the end.
LONGEST := $(addprefix tests/,test_run.py test_operations.py commands/test_orphans.py test_real_scrapes.py test_readme.py \
	planning/test_lines.py test_pipeline.py test_rollback.py test_recovery.py faults test_incidents.py protection planning)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout 120 $(NOTEBOOKS)

SOURCE ?=
LEAGUE ?=
PARAMS ?=
DRY_RUN ?=
TRIALS ?= 300
KILLS ?= 30
SEED ?= 1
PORT ?= 8000
LAB_PORT ?= 8888
# Messages between page and kernel are encrypted; the list of extensions would ask the network.
LAB := --MappingKernelManager.transport_encryption=required --LabApp.extension_manager=readonly \
	$(if $(filter 0,$(shell id -u)),--allow-root)
RUN := $(if $(SOURCE),--source "$(SOURCE)",--sample) $(foreach key,$(LEAGUE),--league $(key)) \
	$(if $(PARAMS),--params "$(PARAMS)") $(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run)

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

etl-run: $(VENV)/.run  ## Import a scrape: SOURCE=DIR LEAGUE=KEY PARAMS=FILE DRY_RUN=1; no SOURCE: the sample season
	@$(RALLY) run $(RUN)

test: $(VENV)/.dev  ## Run the tests and the notebooks
	@$(PYTEST) -m "not slow and not faults" $(NBVAL) $(LONGEST) tests

test-all: $(VENV)/.dev  ## Run the slow tests too
	@$(PYTEST) -m "not faults" $(NBVAL) $(LONGEST) tests

test-faults: $(VENV)/.dev  ## Break a few hundred statements of runs, kill a few dozen: TRIALS=300 KILLS=30 SEED=1
	@RALLY_FAULTS_TRIALS=$(TRIALS) RALLY_FAULTS_KILLS=$(KILLS) RALLY_FAULTS_SEED=$(SEED) $(BIN)/python -m pytest -m faults tests/faults

lab: $(VENV)/.run  ## Open JupyterLab on the notebooks (LAB_PORT=8888)
	@$(BIN)/jupyter lab $(LAB) --port $(LAB_PORT) notebooks

bench: $(VENV)/.run  ## Measure imports of 10,000 to 1,000,000 match lines against the floor
	@$(BIN)/python -m rally_etl.bench $(BENCH)
	@$(if $(BENCH),,$(BIN)/python -m rally_etl.bench.users)
	@$(if $(BENCH),,$(BIN)/python -m rally_etl.bench.publish)

bench-identity: $(VENV)/.run  ## Measure how teams are recognised under other names, beside rapidfuzz and equal names
	@$(BIN)/python -m rally_etl.bench.identity $(BENCH)

bench-mutations: $(VENV)/.run  ## Damage a good import in 180 ways, one at a time, and tell what notices it
	@$(BIN)/python -m rally_etl.bench.mutations $(BENCH)

bench-checks: $(VENV)/.run $(BENCH_VENV)/.installed  ## Measure the checks beside Great Expectations and Soda Core
	@$(BIN)/python -m rally_etl.bench.checks $(BENCH)

bench-health: $(VENV)/.run  ## Measure looks at the health of live, and what is remembered between them
	@$(BIN)/python -m rally_etl.bench.health $(BENCH)

bench-anomalies: $(VENV)/.run $(BENCH_VENV)/.installed  ## Measure how unusual metrics are found, beside statsmodels, scikit-learn and river
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m rally_etl.bench.anomalies $(BENCH)

health: $(VENV)/.run  ## Show the health of the live database
	@$(RALLY) health --detailed

serve: $(VENV)/.run  ## Serve the reports on http://localhost:8000 (PORT=8000)
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory reports $(PORT)

clean:  ## Stop the embedded server; remove .venv, caches and, with CONFIRM=yes, the database and the reports too
	@test ! -x $(RALLY) || env -u DATABASE_URL $(RALLY) db stop || true
	@rm -rf $(VENV) $(BENCH_VENV) .pytest_cache .ruff_cache .hypothesis build lib/*.egg-info
	@find lib tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ "$(CONFIRM)" = yes ]; then rm -rf .rally && find reports -mindepth 1 ! -name README.md -delete; \
		else echo "kept .rally (database, archive, snapshots) and reports; CONFIRM=yes removes them"; fi

lock: $(VENV)/.dev  ## Make the requirement locks anew from requirements.in and requirements-dev.in
	@$(LOCK) requirements.in -o requirements.txt
	@$(LOCK) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	@$(LOCK) requirements-bench.in -o requirements-bench.txt
	@! grep -nE 'https?://|file://|index-url|find-links' requirements.txt requirements-dev.txt requirements-bench.txt

format: $(VENV)/.dev  ## Format the code and the notebooks
	@$(BIN)/ruff check --fix --quiet . && $(BIN)/ruff format .

check-style: $(VENV)/.dev  ## Say what format would change, and what it cannot
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

# The stamps are older than the locks when a lock has changed: the next target installs what is missing.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or later is needed\nhint: make PYTHON=python3.11")'
	@echo "making $(VENV)" && $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make $(VENV)"; echo "hint: on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what a run needs, a minute" && $(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# Other programs that do what ours does, for comparison; they need other versions of our libraries.
$(BENCH_VENV)/.installed: requirements-bench.txt
	@echo "installing the programs that ours is measured beside in $(BENCH_VENV)"
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes \
		-r requirements-bench.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "installing what the tests need" && $(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
