# make setup: the environment, in .venv and nowhere else.   make train: a generator.   make test: all checks.
# make test-faults: every fault in full.   make test-long: the other long tests. Some minutes each.
# make test-doctor: limits of the doctor and what it finds, into docs/doctor.md; goes on where it was interrupted.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup train test test-faults test-long test-doctor check-style clean

setup: .venv/ready

# The wheel of the project itself is not built: an editable install without isolation needs no network.
.venv/ready: pins.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ganzfeld needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement pins.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch .venv/ready

train: setup
	$(BIN)/python -m ganzfeld train

# One file of tests a process, as many processes as there are cores.
test: setup check-style
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-faults: setup
	$(BIN)/python -m pytest --thorough tests/faults

test-long: setup
	$(BIN)/python -m pytest --thorough -m thorough --ignore tests/faults

test-doctor: setup
	$(BIN)/python tools/doctor_limits.py
	$(BIN)/python tools/doctor_suite.py

check-style: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m basedpyright --warnings

clean:
	rm -rf .venv build dist
