PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The advertisement of the theme is no warning about our pages.
export NO_MKDOCS_2_WARNING := 1

# Where this is set, each of the many processes that the tests start would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test checks lint types layers pytest demo docs docs-serve plan bench bench-report faults soak fuzz nox audit public-names dependencies clean

# Side by side, as the tests wait much of their time for servers and processes.
test: $(VENV)/.installed
	$(MAKE) -j 2 pytest checks

checks: lint types layers

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy
	$(BIN)/pyright

layers: $(VENV)/.installed
	$(BIN)/lint-imports

pytest: $(VENV)/.installed
	@sh tools/install_browser.sh
	$(BIN)/pytest -n auto --dist worksteal

demo: $(VENV)/.installed
	$(BIN)/python -m examples.porter.demo

docs: $(VENV)/.installed
	$(BIN)/mkdocs build --strict

docs-serve: $(VENV)/.installed
	$(BIN)/mkdocs serve

plan: $(VENV)/.installed
	$(BIN)/instrument plan export --format plan -o docs/porter-plan.json
	$(BIN)/instrument plan export --format markdown -o docs/porter-plan.md
	$(BIN)/instrument plan export --format html -o docs/porter-plan.html

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks

nox: $(VENV)/.installed
	$(BIN)/nox

bench-report: $(VENV)/.installed
	$(BIN)/python -m benchmarks.report

public-names: $(VENV)/.installed
	$(BIN)/python tools/public_names.py

dependencies: $(VENV)/.installed
	$(BIN)/python tools/dependencies.py

audit: $(VENV)/.installed
	$(BIN)/python tools/audit.py

faults: $(VENV)/.installed
	$(BIN)/python -m benchmarks.faults

SECONDS ?= 600
soak: $(VENV)/.installed
	$(BIN)/python -m benchmarks.soak $(SECONDS)

fuzz: $(VENV)/.installed
	$(BIN)/pytest -n auto tests/fuzz --hypothesis-profile=fuzz

$(VENV)/.installed: pyproject.toml tools/make_venv.sh tools/install.sh
	sh tools/make_venv.sh $(PYTHON) $(VENV)
	sh tools/install.sh $(VENV)
	touch $@

clean:
	rm -rf $(VENV) .nox dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
