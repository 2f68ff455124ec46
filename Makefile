# Everything a user or CI needs: `make setup`, `make demo`, `make test`. Each does the set-up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.selfsown-setup

.PHONY: setup demo test lint types tests bench chaos clean

setup: $(STAMP)

# PyTorch is installed first and exactly: asked for in any other way, indexes hand out CUDA builds.
$(STAMP): pyproject.toml constraints.txt
	@echo "setup: creating $(VENV) (torch, transformers and the tools of the tests: 2 to 4 minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "setup: $(PYTHON) is older than 3.11; give another: make setup PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@grep '^torch==' constraints.txt > $(VENV)/torch.txt
	@echo "setup: 1/3 PyTorch, CPU build"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/torch.txt
	@echo "setup: 2/3 the other packages, exact versions from constraints.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r constraints.txt
	@echo "setup: 3/3 selfsown itself"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)
	@echo "setup: done; the command is $(BIN)/selfsown"

demo: setup
	$(BIN)/selfsown demo -o runs/demo

test: setup lint types tests

lint: setup
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples

types: setup
	$(BIN)/mypy

# Three processes on two cores: the tests that kill and wait leave room for a third.
tests: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile

# Every number of docs/benchmarks.md, anew: an hour on two cores, and the programs that selfsown is
# compared with are installed (2 GB, outside the repository). One alone: make bench BENCHES=calls
BENCHES ?= calls stragglers faults replay tokens novelty near_duplicates decontamination \
  local_generation guard_power lab_self_instruct scale mixing documents
bench: setup
	@status=0; for name in $(BENCHES); do echo "bench: $$name"; \
	  $(BIN)/python -m benchmarks.$$name --json benchmarks/results/$$name.json || status=1; done; \
	$(BIN)/python -m benchmarks.page; exit $$status

# Kills, faults, damage and nonsense, in tables: 40 minutes on two cores; make chaos SEED=7, or one
# section: make chaos ONLY=kills (endpoint, disk, fuzz, fields, secrets, extremes). In short in `tests`.
SEED ?= 0
chaos: setup
	$(BIN)/python -m tests.chaos --seed $(SEED) $(addprefix --only ,$(ONLY))

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
