# `make` alone prints what there is.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo run test lint check bench pins clean

help:  ## print this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

.venv/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

setup: .venv/ready  ## install all that is needed into .venv

demo: .venv/ready  ## animate the sample picture: no key, no server
	@mkdir -p demo
	@$(BIN)/python -m bot animate docs/sample.jpg "slow zoom in while panning left" --out demo/sample.mp4

run: .venv/ready  ## start the bot with ./config.toml
	$(BIN)/python -m bot run

test: .venv/ready  ## run all tests
	$(BIN)/python -m pytest -n 2

lint: .venv/ready  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test  ## all that a change must pass

bench: .venv/ready  ## print every figure; takes half an hour
	@for script in bench/*.py; do echo; echo "== $$script"; $(BIN)/python $$script || exit 1; done

pins: .venv/ready  ## pin the dependencies anew (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade -q -o requirements/run.txt
	uv pip compile --group build --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade -q -o requirements/build.txt
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade -q -o requirements/dev.txt

clean:  ## remove what make made
	rm -rf .venv demo .mypy_cache .ruff_cache .hypothesis
