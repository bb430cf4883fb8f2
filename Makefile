# `make help` lists what there is. Everything lives in .venv of this clone; nothing is installed elsewhere.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
BIN := .venv/bin
STAMP := .venv/.systock-ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup run test mutants check torture docker-test spark-test bench bi-test clean

help:  ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(STAMP)  ## make .venv and install the project into it; nothing to do the second time

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "No venv module here: install python3-venv, or name another Python with PYTHON=" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

run: setup  ## load what lies in the inbox, start to end
	$(BIN)/python -m pipeline_manager.pipeline_flow $(ARGS)

# One worker a core, each with a server of its own; ARGS='-n 0' runs them one after the other.
# The tests of processes fork the runner, so they come in a second call: no dbt may have run in what is forked.
FORKING := test/processes test/torture
test: setup  ## run every test
	$(BIN)/python -m pytest -n auto --dist worksteal $(FORKING:%=--ignore=%) $(ARGS)
	$(BIN)/python -m pytest -n auto --dist worksteal $(FORKING) $(ARGS)

mutants: setup  ## break the code on purpose and see that the tests notice
	$(BIN)/python test/mutants/run_mutants.py $(ARGS)

# Every check runs, so that one look shows all there is to mend; any failure fails the target.
check: setup  ## format, lint, types, import rules, gates, workflows and the fast tests
	@failed=""; \
	try() { echo "== $$*"; "$$@" || failed="$$failed $$(basename "$$1")"; }; \
	try $(BIN)/ruff format --check .; \
	try $(BIN)/ruff check .; \
	try $(BIN)/mypy; \
	try $(BIN)/lint-imports; \
	try $(BIN)/systock gates; \
	try .ci/check_workflows; \
	try $(BIN)/pytest -m fast; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed" >&2; exit 1; fi; echo "All checks passed."

# Sizes: SYSTOCK_TORTURE_SEEDS, _KILLS, _EXAMPLES, _STARTS, _ENVIRONMENTS; SYSTOCK_TORTURE_SEED is the first seed. A
# failure says how it is played again. The figures go to SYSTOCK_TORTURE_REPORT. Example: make torture ARGS="-k kills"
torture: setup  ## kill, cut and crash it a thousand times; takes an hour or two
	SYSTOCK_TORTURE_SEEDS=$${SYSTOCK_TORTURE_SEEDS:-200} SYSTOCK_TORTURE_KILLS=$${SYSTOCK_TORTURE_KILLS:-1000} \
	SYSTOCK_TORTURE_EXAMPLES=$${SYSTOCK_TORTURE_EXAMPLES:-50} SYSTOCK_TORTURE_STARTS=$${SYSTOCK_TORTURE_STARTS:-50} \
	SYSTOCK_TORTURE_ENVIRONMENTS=$${SYSTOCK_TORTURE_ENVIRONMENTS:-1000} \
	SYSTOCK_TORTURE_REPORT=$${SYSTOCK_TORTURE_REPORT:-.systock/torture.json} \
	$(BIN)/python -m pytest -s test/torture test/processes $(ARGS)

# Root and a Docker engine needed, or root and dockerd: it says so where they are missing.
docker-test: setup  ## build and run the containers, kill the database in a load, look at the laws; takes minutes
	$(BIN)/python -m pytest -s -x test/containers/containers.py $(ARGS)

# Java 17 needed, and 450 MB of packages that nothing else wants.
spark-test: setup  ## have a cluster of Spark with its own executors do the transforms, and compare; takes minutes
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev,spark]'
	$(BIN)/python -m pytest -s test/pipeline_manager/test_transforms_on_spark.py $(ARGS)

# The peer, dlt with dbt over it, has an environment of its own: SyStock needs none of it. ARGS='--sizes 1000000'.
PEER_STAMP := .peer-venv/.systock-ready
bench: setup $(PEER_STAMP)  ## measure loads beside a bare COPY, and beside dlt with dbt
	$(BIN)/systock bench $(ARGS)

$(PEER_STAMP): pipeline_manager/bench_peer/requirements.txt
	@test -x .peer-venv/bin/python || $(PYTHON) -m venv .peer-venv
	.peer-venv/bin/python -m pip install --quiet --requirement $<
	@touch $@

# Superset wants other versions than .venv has, so it has an environment of its own. Pictures go to build/bi.
BI_STAMP := .bi-venv/.systock-ready
bi-test: setup $(BI_STAMP)  ## see the dashboards work in Superset without Docker (a gigabyte; some minutes)
	SYSTOCK_BI_BIN=$(CURDIR)/.bi-venv/bin $(BIN)/python -m pytest -s -rs test/bi/test_superset.py $(ARGS)

$(BI_STAMP): data_warehouse/bi/requirements.txt
	@test -x .bi-venv/bin/python || $(PYTHON) -m venv .bi-venv
	.bi-venv/bin/python -m pip install --quiet --requirement $<
	@touch $@

clean:  ## remove caches and builds; data in .systock and the environment stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . \( -path ./.venv -o -path ./.bi-venv -o -path ./.peer-venv \) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
