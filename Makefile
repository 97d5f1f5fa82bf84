# Two commands do everything: `make demo` and `make test`. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-rasa-x demo-servers test unit lint format bench bench-decisions bench-history chaos soak lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := build/uv/bin/uv
BIN := .venv/bin
RASA_ENVIRONMENT := $(CURDIR)/.venv-rasa
ERA ?= 2021
SERVICE := .venv/.ready
RASA := .venv-rasa/.ready-for-make
# Two processes share the files of tests in the order of tests/conftest.py.
PYTEST := $(BIN)/pytest -n 2 --no-loadscope-reorder


help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(SERVICE) $(RASA) ## Make both environments: the service's and Rasa's

# uv comes from pip, into a folder of its own: that works without root and without python3-venv.
build/uv/bin/uv: deploy/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m pip install --quiet --upgrade --target build/uv "$$(grep -oE '^uv==[0-9.]+' deploy/requirements.txt)"
	@touch $@

$(SERVICE): build/uv/bin/uv pyproject.toml deploy/requirements-dev.txt
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes deploy/requirements-dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(RASA): $(SERVICE) retrainer/rasa_worker/requirements.txt
	$(BIN)/retrainer rasa setup --environment $(RASA_ENVIRONMENT)
	@touch $@

demo: export RETRAINER_RASA__ENVIRONMENT := $(RASA_ENVIRONMENT)
demo: setup ## Five nights of a small assistant, with real training (a few minutes)
	$(BIN)/retrainer demo build/demo

demo-rasa-x: setup ## The same against a Rasa X (a test double) and a real Rasa server; ERA=2018 too
	PYTHONPATH=tests $(BIN)/python tests/demonstrations/rasa_x.py build/demo-rasa-x --era $(ERA)

demo-servers: setup ## Two real Rasa servers that follow a promotion and a rollback
	PYTHONPATH=tests $(BIN)/python tests/demonstrations/servers.py build/demo-servers

test: export PYTHONDONTWRITEBYTECODE := # what is compiled once serves hundreds of processes
test: setup ## The whole test suite, real Rasa and Postgres included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) tests/unit --cov --cov-report=
	$(BIN)/coverage report --include 'retrainer/domain/*,retrainer/pipeline/*' --fail-under 95
	$(PYTEST) --ignore tests/unit

unit: $(SERVICE) ## The tests that take seconds
	$(BIN)/pytest tests/unit

lint: $(SERVICE) ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SERVICE) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Compare with Rasa's own commands; prints ratios
	$(BIN)/python tests/benchmarks/run.py

chaos: setup ## Crashes at every change, daemons killed and stalled at random; prints figures (an hour)
	PYTHONPATH=tests $(BIN)/python tests/endurance/several_daemons.py --cycles 400
	PYTHONPATH=tests $(BIN)/python tests/endurance/crash_matrix.py
	PYTHONPATH=tests $(BIN)/python tests/endurance/faults.py

bench-decisions: $(SERVICE) ## What each policy does on simulated nights and years; prints tables
	nice $(BIN)/python tests/benchmarks/decisions.py

bench-history: $(SERVICE) ## History and status of a million cycles; prints milliseconds
	$(BIN)/python tests/benchmarks/history_at_scale.py

LOCK := $(UV) pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate \
	--universal --custom-compile-command "make lock"
WORKER := retrainer/rasa_worker

soak: setup ## A daemon through 5,000 cycles on SQLite, then on Postgres: does it grow? (half an hour)
	PYTHONPATH=tests $(BIN)/python tests/endurance/soak.py
	PYTHONPATH=tests $(BIN)/python tests/endurance/soak.py --postgres

lock: $(SERVICE) ## Pin the newest allowed version of every dependency, with hashes
	$(LOCK) --python-version 3.11 pyproject.toml --extra postgres --output-file deploy/requirements.txt
	$(LOCK) --python-version 3.11 pyproject.toml --extra postgres --group dev --output-file deploy/requirements-dev.txt
	$(LOCK) --python-version 3.8 $(WORKER)/pyproject.toml --output-file $(WORKER)/requirements.txt
	echo hatchling | $(LOCK) --python-version 3.11 - --output-file deploy/docker/build-constraints.txt

clean: ## Delete the environments and everything that was built
	rm -rf .venv .venv-rasa ..venv-rasa.setup build dist .coverage .hypothesis
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
