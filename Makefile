VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: help demo test lint check format documents clean

help:
	@echo "make demo       the whole line on drawn images, ending in a running Space (DEMO_EXIT=1: ask once and stop)"
	@echo "make test       every test"
	@echo "make lint       format, lint, types"
	@echo "make check      lint and the fast tests"
	@echo "make format     put the code into its format"
	@echo "make documents  render the figures, sources and exit codes into the documents"

# The environment lives in the repository; pins stand in constraints.txt alone, the build's too.
$(READY): pyproject.toml constraints.txt
	test -x $(PY) || python3.11 -m venv $(VENV)
	$(PY) -m pip install --quiet uv -c constraints.txt
	$(VENV)/bin/uv pip install --quiet --python $(PY) -c constraints.txt -b constraints.txt -e '.[train,dev]'
	touch $@

demo: $(READY)
	$(PY) -m scripts.demo

test: $(READY)
	$(PY) -m pytest -n auto --dist loadfile

lint: $(READY)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

check: lint
	$(PY) -m pytest -m "not slow and not browser and not real"

format: $(READY)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

documents: $(READY)
	$(PY) -m scripts.readme

clean:
	rm -rf runs build .mypy_cache .ruff_cache .pytest_cache .hypothesis
