# Frostbyte from a checkout. Nothing here needs root; everything stays in this folder.
# `make` alone lists what there is.

VENV ?= .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
FROSTBYTE := $(VENV)/bin/frostbyte
# Tests are compiled, with their assertions written out, once and not by each process of each lane.
export PYTHONDONTWRITEBYTECODE :=
# Half of the machine's patience: tests that start servers share cores badly.
JOBS ?= 2
# Slow tests mostly wait: for leases to end, for servers to die and come back. One more than there are cores fills the pauses.
SLOW_JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-online try-hetzner demo-operations demo-offline up bundle release test fast slow browser screenshots containers lint format compiled bench soak lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS='	' read -r name about; do printf '  make %-12s %s\n' "$$name" "$$about"; done

setup: ## make .venv from the locks (does nothing when up to date)
	@tools/setup.sh $(VENV)

demo: setup ## see it work: a plane, sample documents, answers and their proofs, in a minute
	@$(FROSTBYTE) demo

demo-online: setup ## a tenant's whole life on a simulated cloud: base, provision, crash, resume, suspend, deprovision
	@FROSTBYTE_SOPS="$$(tools/sops/build.sh)" FROSTBYTE_TRAEFIK="$$(tools/traefik/build.sh --if-built)" $(FROSTBYTE) demo-online

try-hetzner: setup ## the same on your own Hetzner project, for money: HCLOUD_TOKEN, and TRY="--zone ... --email ... --operators ..."
	@FROSTBYTE_SOPS="$$(tools/sops/build.sh)" $(FROSTBYTE) try-hetzner $(TRY)

demo-operations: setup ## the days after on a simulated cloud: scale, update, back up, repair, restore, forget
	@FROSTBYTE_SOPS="$$(tools/sops/build.sh)" FROSTBYTE_TRAEFIK="$$(tools/traefik/build.sh --if-built)" $(FROSTBYTE) demo-operations

demo-offline: setup ## a bundle, a host without a network, an installation and its verification (root and Docker)
	@eval "$$(tools/docker.sh start)" && tools/demo_offline.sh

up: setup ## start a plane on this machine, with its data in .frostbyte/
	@$(FROSTBYTE) serve data

bundle: setup ## an offline bundle from what is on this machine, in dist/ (needs Docker; see tools/release.sh)
	@tools/release.sh bundle

release: setup ## wheel, images, bundle, bill of materials and provenance, signed with KEY=FILE, in dist/ (needs Docker)
	@tools/release.sh release

fast: setup ## fast tests (under three minutes on two cores; the aim is two)
	$(PYTEST) -m "not slow" -n $(JOBS) --dist loadfile

slow: setup ## slow tests: real servers, kills, whole batches
	$(PYTEST) -m "slow and not docker and not browser" -n $(SLOW_JOBS) --dist loadfile --durations=15

screenshots: setup ## picture both consoles in both themes, into docs/img (tools/servers.sh chromium clamd traefik)
	PYTHONPATH=tests $(PY) -m browser.pictures

browser: setup ## drive both consoles with a real browser (needs chromium and axe: tools/servers.sh chromium node axe)
	$(PYTEST) -m browser -n $(JOBS) --dist loadfile

containers: setup ## build the images and run a plane of containers (needs Docker: tools/docker.sh start)
	$(PYTEST) -m docker --durations=15

test: setup ## all tests: fast lane, slow lane, browser; says what was left out (FROSTBYTE_REQUIRE=all refuses that)
	$(PYTEST) -m "not slow" -n $(JOBS) --dist loadfile
	$(PYTEST) -m "slow and not docker and not browser" -n $(SLOW_JOBS) --dist loadfile --durations=15
	$(PYTEST) -m browser -n $(JOBS) --dist loadfile

lint: setup ## style, types, and which way imports point
	$(VENV)/bin/ruff check src tests tools $(wildcard bench samples)
	$(VENV)/bin/ruff format --check src tests tools $(wildcard bench samples)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup ## put the code into the house style
	$(VENV)/bin/ruff check --fix src tests tools $(wildcard bench samples)
	$(VENV)/bin/ruff format src tests tools $(wildcard bench samples)

compiled: setup ## the package with the modules that images compile, in dist/compiled (PYTHONPATH=dist/compiled uses it; needs gcc)
	rm -rf dist/compiled
	$(PY) tools/compiled.py dist/compiled

bench: setup .venv-bench/.lock ## measure what the design promises, beside others; results in bench/RESULTS.md
	$(PY) -m bench

# What we measure ourselves against, in an environment of its own: a plane never has it.
.venv-bench/.lock: requirements/bench.lock
	$(PY) -m venv --clear .venv-bench
	$(VENV)/bin/uv pip install --python .venv-bench/bin/python --require-hashes -r requirements/bench.lock
	cp requirements/bench.lock $@

soak: setup ## every kill, fault and flip instead of CI's seeded sample (hours)
	FROSTBYTE_SOAK=all $(PYTEST) -m slow --timeout 14400
	FROSTBYTE_SOAK=all $(PYTEST) tests/policy/test_rules.py -k hostile_page

lock: setup ## compile the lock files anew from requirements/*.in
	@tools/lock.sh $(VENV)

clean: ## remove what was made here, except the data in .frostbyte/
	rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache build dist bench/out
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
