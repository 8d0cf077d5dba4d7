# Everything runs in a venv of the project's own; Python >= 3.10 and make are all that is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help app lab test test-all check bench clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml $(wildcard widgets/chat_widgets/labextension/static/* chat_magics/server/template/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || sh tests/install_venv.sh $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[analysis,app,arrow,lab,plots,postgres,redis,rows,test]'
	@touch $(READY)

app: $(READY) ## Set up, and open the app in the browser; without a key, on the demo model
	$(BIN)/chat-magics serve --open-browser

lab: $(READY) ## Set up, and open JupyterLab with the notebooks
	$(BIN)/chat-magics lab notebooks

test: $(READY) ## Set up, and run every test; missing browsers and servers are installed for root
	$(BIN)/python -m tests.run

test-all: $(READY) ## All Pythons of this machine, the lowest openai, and the slow tests
	$(BIN)/python -m tests.run --all

check: $(READY) ## Lint, types, layers: quick
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: $(READY) ## Measure the figures of docs/benchmarks.md on this machine
	$(BIN)/python -m benchmarks

clean: ## Remove what was set up
	rm -rf $(VENV) .venvs tests/.node build dist *.egg-info
