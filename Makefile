# make setup: the environment, in .venv and nowhere else.   make train: a generator.   make test: all checks.
# make test-faults: every fault in full.   make test-long: the other long tests. Some minutes each.
# make test-machine: what may depend on the processor, on one core with older instructions than most have today.
# make test-doctor: limits of the doctor and what it finds, into docs/doctor.md; goes on where it was interrupted.
PYTHON ?= python3
BIN := .venv/bin

TEST := -m pytest --durations 15 --durations-min 1
# One file of tests a process, as many processes as there are cores.
TOGETHER := --numprocesses auto --dist loadfile

.PHONY: setup train test test-machine test-faults test-mutations test-long test-doctor check-style clean

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

test: setup check-style
	$(BIN)/python $(TEST) $(TOGETHER)

# On the first core that this process may use; where there is no taskset (macOS), on all of them.
test-machine: export ATEN_CPU_CAPABILITY := avx2
test-machine: export ONEDNN_MAX_CPU_ISA := AVX2
test-machine: setup
	core=$$($(BIN)/python -c 'import os; print(min(os.sched_getaffinity(0)))') || core=0; \
	$$(command -v taskset >/dev/null && echo taskset -c $$core) $(BIN)/python $(TEST) -m machine

test-faults: setup
	$(BIN)/python $(TEST) --thorough tests/faults --ignore tests/faults/test_mutations.py

# Every damage to a run folder before every command: half an hour on one core, so CI takes the sample in `make test` alone.
test-mutations: setup
	$(BIN)/python $(TEST) --thorough tests/faults/test_mutations.py

test-long: setup
	$(BIN)/python $(TEST) $(TOGETHER) --thorough -m thorough --ignore tests/faults

test-doctor: setup
	$(BIN)/python tools/doctor_limits.py
	$(BIN)/python tools/doctor_suite.py

check-style: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m basedpyright --warnings

clean:
	rm -rf .venv build dist
