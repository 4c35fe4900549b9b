# make demo, make test: each first sets up .venv.
# Another Python or folder: make test PYTHON=python3.13 VENV=.venv313

PYTHON ?= python3
PYTHON312 ?= python3.12
VENV ?= .venv
JOBS ?= auto
PYTEST ?= -n $(JOBS) --dist worksteal
BIN := $(VENV)/bin

# Most matrices are small: more threads per worker would only slow each other down.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help demo test lint bench judges docs notebooks install clean

help:
	@echo "make demo    train two models, explain their predictions, draw a picture"
	@echo "make test    run all tests"
	@echo "make lint    check style and types"
	@echo "make bench   run every benchmark, quickly"
	@echo "make judges  ask the benchmarks of other libraries (docs/judges.md)"
	@echo "make docs    build the site, build/site/index.html"
	@echo "make notebooks  run the notebooks, and keep their outputs"
	@echo "make install set up $(VENV) for development"
	@echo "make clean   remove $(VENV) and files that tools left behind"

demo: $(VENV)/.plots
	$(BIN)/perturbx demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	@for script in $$(ls benchmarks/*/[!_]*.py | sed 's|/|.|g; s|\.py$$||'); do \
		echo "== $$script"; $(BIN)/python -m $$script --quick || exit 1; \
	done

# shapiq's benchmark needs Python 3.12; the other suites need no more than the rest.
judges:
	$(PYTHON) -m venv $(VENV)-judges
	$(VENV)-judges/bin/python -m pip install --quiet --editable . \
		-r benchmarks/judges/requirements.txt
	$(VENV)-judges/bin/python -m benchmarks.judges.suites --out $(VENV)-judges --page docs/judges.md
	$(PYTHON312) -m venv $(VENV)-shapiq
	$(VENV)-shapiq/bin/python -m pip install --quiet --editable . \
		-r benchmarks/judges/requirements-shapiq.txt
	$(VENV)-shapiq/bin/python -m benchmarks.judges.suites --out $(VENV)-judges --only shapiq \
		--page docs/judges.md

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet \
		-c docs -d build/doctrees . build/site

# The notebook on time series reads data of sktime.
notebooks: $(VENV)/.docs $(VENV)/.test
	$(BIN)/python -m pip install --quiet --no-deps sktime
	$(BIN)/python docs/run_notebooks.py notebooks/*.ipynb

install: $(VENV)/.test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
		"perturbx needs Python 3.10 or newer, this is " + sys.version.split()[0] + \
		": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-judges $(VENV)-shapiq build dist docs/api *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
