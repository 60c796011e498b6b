# make demo and make test do all the set-up themselves; see README.md.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
WORKERS ?= 2

.PHONY: demo test test-full torch lint bench clean

demo: $(READY)
	$(BIN)/spintrit demo --overwrite

# tests: fast, no simulator. tb: Verilator and cocotb. See docs/tests.md.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
test: $(READY)
	$(PYTEST) -m "not full" tests tb

# All sizes, seeds and netlists, too, and the coverage of lines.
test-full: $(READY)
	$(PYTEST) --cov --cov-report=term --cov-fail-under=90 tests tb

# PyTorch, for the back ends torch and cuda; tests and bench then use it, too.
torch: $(READY)
	$(PYTHON) setup_env.py $(VENV) requirements-torch.txt

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini

bench: $(READY)
	$(BIN)/python -m spintrit bench

$(READY): requirements.txt setup_env.py pyproject.toml
	$(PYTHON) setup_env.py $(VENV)
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
