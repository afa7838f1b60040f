# make run      execute every notebook: results in runs/, pictures in figures/, one table
# make quick    lint, the tests without the slow ones, one notebook: under two minutes
# make test     everything that is checked
# make processors   the notebooks under many numeric settings: half an hour
# make lab      open the notebooks in JupyterLab
# make notebooks   re-execute and clean the committed notebooks in place
# make env      only install
# make clean    remove what installing and testing left behind; runs/ and figures/ stay
#
# PYTHON=python3.12       the Python to install with
# TORCH_INDEX=address     where pip finds PyTorch's CPU build

PYTHON ?= python3
TORCH_INDEX ?=

BIN := .venv/bin
NOTEBOOKS := $(basename $(notdir $(wildcard notebooks/*.ipynb)))
NBVAL := $(BIN)/python -m pytest --nbval --nbval-current-env -n 2 --dist loadfile notebooks

.PHONY: env run quick test processors lab notebooks clean

env: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is `$(PYTHON) --version 2>&1`." \
			"Name another one: make $(or $(MAKECMDGOALS),env) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(addprefix --extra-index-url ,$(TORCH_INDEX)) -c constraints.txt -e ".[test]"
	@touch $@

run: env
	$(BIN)/eegemo run $(NOTEBOOKS) --figures figures

# The stored outputs were made on a CPU. The second nbval stands for another processor.
quick test processors notebooks: export CUDA_VISIBLE_DEVICES :=
# Two workers share the cores: threads of their own would only get in each other's way.
quick test: export OMP_NUM_THREADS := 1
quick: env
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" tests
	$(NBVAL) -k gru

test: env
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests
	$(NBVAL)
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 $(NBVAL)

processors: env
	$(BIN)/python tests/processors.py

lab: env
	$(BIN)/jupyter lab

notebooks: env
	$(BIN)/eegemo refresh

clean:
	rm -rf .venv .pytest_cache .ruff_cache .benchmarks build *.egg-info
	find eegemo_utils tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
