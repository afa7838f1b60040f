# make run      execute every notebook: results in runs/, pictures in figures/, one table
# make quick    lint, the tests without the slow ones, one notebook: under two minutes
# make test     everything that is checked
# make processors   the notebooks under many numeric settings: half an hour
# make lab      open the notebooks in JupyterLab
# make notebooks   re-execute and clean the committed notebooks in place
# make env      only install, without the tools of the tests
# make lock     renew constraints.txt, the versions for every Python and system
# make clean    remove what installing and testing left behind; runs/ and figures/ stay
#
# PYTHON=python3.12       the Python to install with
# TORCH_INDEX=address     where pip finds PyTorch's CPU build

PYTHON ?= python3
TORCH_INDEX ?=

BIN := .venv/bin
NOTEBOOKS := $(basename $(notdir $(wildcard notebooks/*.ipynb)))
NBVAL := $(BIN)/python -m pytest --nbval --nbval-current-env -n 2 --dist loadfile notebooks

.PHONY: env tools run quick test processors lab notebooks lock clean

PIP = $(BIN)/python -m pip install $(addprefix --extra-index-url ,$(TORCH_INDEX)) -c constraints.txt

env: .venv/.installed
tools: .venv/.tools

.venv/.tools: .venv/.installed
	$(PIP) -e ".[test]"
	@touch $@

.venv/.installed: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is `$(PYTHON) --version 2>&1`." \
			"Name another one: make $(or $(MAKECMDGOALS),env) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

run: env
	$(BIN)/eegemo run $(NOTEBOOKS) --figures figures

# The stored outputs were made on a CPU. The second nbval stands for another processor.
quick test processors notebooks: export CUDA_VISIBLE_DEVICES :=
# Two workers share the cores: threads of their own would only get in each other's way.
quick test: export OMP_NUM_THREADS := 1
quick: tools
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" tests
	$(NBVAL) -k gru

test: tools
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests
	$(NBVAL)
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 $(NBVAL)

processors: tools
	$(BIN)/python tests/processors.py

lab: env
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

notebooks: env
	$(BIN)/eegemo refresh

# No hashes: with one, pip wants one for every requirement, and this project itself, a folder, has none.
lock: env
	$(BIN)/python -m pip install uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra test --no-annotate \
		--custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

clean:
	rm -rf .venv .pytest_cache .ruff_cache .benchmarks build *.egg-info
	find eegemo_utils tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
