# Everything here works on a machine that has only Python 3.11 or newer and make.

.POSIX:

VENV = .venv
BIN = $(VENV)/bin
PYTHON =
CANDIDATES = $(PYTHON) python3.14 python3.13 python3.12 python3.11 python3 python

.PHONY: help demo test faults long fuzz lint bench clean place

help:
	@echo 'make demo    simulator, bot and console on this machine; prints the addresses to open'
	@echo 'make test    everything that is checked before a change is accepted'
	@echo 'make faults  every promise about sending against kills, power cuts, bad networks and disks: half an hour and more'
	@echo 'make long    the other promises at length: under load, restarts and bad plugins'
	@echo 'make fuzz    the receive path against made-up bodies, for FUZZ_SECONDS (3600)'
	@echo 'make lint    style and types alone'
	@echo 'make bench   how fast it is, side by side with doing the same by hand'
	@echo 'make clean   removes what was built, the environment in $(VENV) included'
	@echo
	@echo 'make PYTHON=/path/to/python3 test   uses that Python'

demo: $(VENV)/demo.stamp
	@exec $(BIN)/relay demo

test: lint
	$(COMPILED) $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

faults: $(VENV)/test.stamp
	@PYTHONPATH=tests $(COMPILED) $(BIN)/python -m faults

long: $(VENV)/test.stamp
	$(COMPILED) $(BIN)/python -m pytest -v -m long --ignore=tests/faults --ignore=tests/store/behaviour

fuzz: $(VENV)/fuzz.stamp
	PYTHONPATH=tests $(BIN)/python -m fuzz

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/demo.stamp
	$(COMPILED) $(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A bot is many short-lived processes: where Python may keep nothing compiled, each compiles everything anew.
COMPILED = env -u PYTHONDONTWRITEBYTECODE

# --- the environment -------------------------------------------------------------------------

# Installs in the background and prints a dot every two seconds; the whole log only where it failed.
INSTALL = install() { \
	  log=$(VENV)/install.log; \
	  $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e "$$1" >$$log 2>&1 & \
	  pid=$$!; \
	  trap 'kill $$pid 2>/dev/null; exit 130' INT TERM; \
	  printf 'relay: installing %s (once, a minute or two) ' "$$2"; \
	  while kill -0 $$pid 2>/dev/null; do printf .; sleep 2; done; \
	  if wait $$pid; then echo ' done'; else echo ' failed'; cat $$log; exit 1; fi; \
	}; install

$(VENV)/demo.stamp: $(VENV)/python.stamp pyproject.toml constraints.txt
	@$(INSTALL) . 'what the bot needs'
	@touch $@

$(VENV)/test.stamp: $(VENV)/python.stamp pyproject.toml constraints.txt
	@$(INSTALL) '.[dev]' 'what the bot and its tests need'
	@touch $(VENV)/demo.stamp $@

$(VENV)/fuzz.stamp: $(VENV)/test.stamp
	@$(INSTALL) '.[dev,fuzz]' 'the fuzzer'
	@touch $@

# An environment does not survive that its folder is moved or its Python is removed: then it is made anew.
place:
	@if [ -e $(VENV) ] && { [ "`cat $(VENV)/place 2>/dev/null`" != "`pwd`" ] || ! $(BIN)/python -c ''; }; then \
	  rm -rf $(VENV); \
	fi

$(VENV)/python.stamp: place
	@[ -e $@ ] && exit 0; \
	found=; bare=; \
	for python in $(CANDIDATES); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if $$python -c 'import ensurepip, venv' 2>/dev/null; then found=$$python; break; fi; \
	  bare=$${bare:-$$python}; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	  version=`$$bare -c 'import sys; print("%d.%d" % sys.version_info[:2])'`; \
	  echo "relay: $$bare (Python $$version) cannot make virtual environments: it lacks venv or ensurepip." >&2; \
	  echo "relay: on Debian and Ubuntu: apt install python3-venv (or python$$version-venv)" >&2; \
	  exit 1; \
	fi; \
	if [ -z "$$found" ]; then \
	  echo 'relay: no Python 3.11 or newer was found; tried: $(CANDIDATES)' >&2; \
	  echo 'relay: install one, or name it: make PYTHON=/path/to/python3 test' >&2; \
	  exit 1; \
	fi; \
	rm -rf $(VENV); \
	$$found -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	pwd > $(VENV)/place; \
	touch $@
