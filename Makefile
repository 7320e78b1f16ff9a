# The one runner. Everything happens in .venv, which is made from Python 3.11 or newer with nothing else installed.
.DEFAULT_GOAL := help
.PHONY: help new test faults soak bench containers containers-quick fuzz speed lint pins docs release clean

export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin
BOOTSTRAP := scripts/bootstrap.sh

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

new: .venv/.installed ## Write a project: make new DEST=../orders [ARGS="--set backend=celery --set infrastructure=redis"]
	@$(BOOTSTRAP) new "$(DEST)" $(ARGS)

test: .venv/.installed-dev ## Bring in the brokers, then lint, type-check and test everything
	@$(BOOTSTRAP) brokers
	$(MAKE) lint
	pytest -n 3 --dist loadgroup -m 'not speed'

faults: .venv/.installed-dev ## Break everything at full scale, or BACKEND=celery-redis FAULT=killed-worker, AT_ONCE=3 backends, and write what survives
	@$(BOOTSTRAP) brokers
	PYTHONPATH=tests python -m faults.run

soak: .venv/.installed-dev ## Mix faults at random for SOAK_S=600 s on each backend, AT_ONCE=2 of them, or on BACKEND=celery-redis, and check the books
	@$(BOOTSTRAP) brokers
	PYTHONPATH=tests python -m faults.soak

bench: .venv/.installed-dev ## Compare each service with its library alone, or BACKEND=celery-redis, and write what it costs
	@$(BOOTSTRAP) brokers
	PYTHONPATH=tests python -m bench.run

# Where no engine answers, a lab beside the checkout can bring one up (tests/containers/engine.py).
containers containers-quick: export ENGINE_LAB ?= $(wildcard $(CURDIR)/../shared/docker-lab/lab)

containers: .venv/.installed-dev ## Build, start, limit and break every project in containers, and write down sizes and times
	pytest tests/containers -rs

containers-quick: .venv/.installed-dev ## Of these, each backend: build, start, samples, one crash
	pytest tests/containers -rs -m quick

fuzz: .venv/.installed-dev ## Update projects after random edits, 2000 of them or EXAMPLES=...
	FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) pytest -q -n 0 tests/updates/test_random_edits.py tests/updates/test_random_versions.py

speed: .venv/.installed-dev ## Compare the time of an update with Copier's, and inside a large repository with alone
	pytest -q -n 0 -m speed tests/updates/test_speed.py

lint: .venv/.installed-dev ## Check format, lint rules and types
	ruff format --check .
	ruff check .
	mypy

pins: .venv/.installed-dev ## Resolve the newest set of versions for every backend and broker into pins/
	python scripts/pins.py

docs: .venv/.installed-dev ## Generate the reference pages and the listings of renders
	python scripts/reference.py
	python scripts/listings.py

release: .venv/.installed-dev ## Cut a release, template and all: make release VERSION=0.2.0
	python scripts/release.py "$(VERSION)"

clean: ## Remove .venv, builds and caches
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml
	@$(BOOTSTRAP) install
	@touch $@

.venv/.installed-dev: pyproject.toml
	@$(BOOTSTRAP) install --group dev
	@touch $@ .venv/.installed
