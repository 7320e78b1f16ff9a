# The one runner. Everything happens in .venv, which is made from Python 3.11 or newer with nothing else installed.
.DEFAULT_GOAL := help
.PHONY: help new test lint pins docs clean

export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin
BOOTSTRAP := scripts/bootstrap.sh

help: ## Show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

new: .venv/.installed ## Write a project: make new DEST=../orders [ARGS="--set backend=celery --set infrastructure=redis"]
	@$(BOOTSTRAP) new "$(DEST)" $(ARGS)

test: .venv/.installed-dev ## Bring in the brokers, then lint, type-check and test everything
	@$(BOOTSTRAP) brokers
	$(MAKE) lint
	pytest -n 2 --dist loadgroup

lint: .venv/.installed-dev ## Check format, lint rules and types
	ruff format --check .
	ruff check .
	mypy

pins: .venv/.installed-dev ## Resolve the newest set of versions for every backend and broker into pins/
	python scripts/pins.py

docs: .venv/.installed-dev ## Generate the reference pages and the listings of renders
	python scripts/reference.py
	python scripts/listings.py

clean: ## Remove .venv, builds and caches
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml
	@$(BOOTSTRAP) install
	@touch $@

.venv/.installed-dev: pyproject.toml
	@$(BOOTSTRAP) install --group dev
	@touch $@ .venv/.installed
