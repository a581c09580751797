# Every target does its own set-up, in .venv. Needs Python 3.11 or newer, make and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check format lock faults rules picture bench clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Run the whole example against an emulated AWS
	$(BIN)/xgrant demo

test: $(READY) ## Run the tests
	$(BIN)/pytest -n auto -m "not wheel"

check: $(READY) ## Lint, types, import rules, and the built wheel in an empty environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m wheel

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: $(READY) ## Print what becomes of every change under every fault (docs/faults.md)
	@$(BIN)/python -m tests.aws.fault_matrix

rules: $(READY) ## Write the page of all guardrails (docs/rules.md)
	$(BIN)/xgrant lint --list --format markdown > docs/rules.md

# What draws it is used for nothing else, so it is no part of the environment. It needs Pango (libpango-1.0-0).
picture: $(READY) ## Draw the picture of a comment (docs/images/plan-comment.png)
	$(PIP) install weasyprint pypdfium2 pillow
	$(BIN)/python -m tests.picture docs/images/plan-comment.png

bench: $(READY) ## Measure against a floor and against peers (benchmarks/RESULTS.md); takes twenty minutes
	$(BIN)/python -m benchmarks --output benchmarks/RESULTS.md

lock: $(READY) ## Resolve the development environment anew
	$(PIP) install uv
	$(BIN)/uv pip compile pyproject.toml --group dev --extra sandbox --extra dask --extra lint --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --upgrade --quiet \
	  -o requirements-dev.lock

clean: ## Remove what the other targets made
	rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xgrant needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
