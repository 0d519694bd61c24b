# One verb each; every one of them works from a bare clone.
#   make test    environment, static checks, test suite (what CI runs)
#   make demo    all applications on data made on the spot
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# An environment that was moved, or whose Python is gone, counts as not installed.
$(shell $(BIN)/toolkit --version >/dev/null 2>&1 || rm -f .venv/installed .venv/peers)

.PHONY: demo test check format bench clean-kernels venv

demo: venv
	$(BIN)/toolkit demo

test: check clean-kernels
	$(BIN)/python -m pytest -n auto --dist loadfile

check: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# numba's cache follows the file of a function, not the functions that it calls
clean-kernels:
	find src -name '*.nb[ci]' -delete

bench: .venv/peers clean-kernels
	set -e; for file in $(wildcard tests/benchmarks/bench_*.py); do \
		$(BIN)/python $$file --out tests/benchmarks/results/$$(basename $$file .py).json; done

venv: .venv/installed

# The build backend comes first, pinned too: pip's isolated builds would take the newest.
.venv/installed: pyproject.toml constraints.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(INSTALL) hatchling
	$(INSTALL) --no-build-isolation -e '.[test]'
	touch $@

.venv/peers: .venv/installed
	$(INSTALL) --no-build-isolation -e '.[test,peers]'
	touch $@
