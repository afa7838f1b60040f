"""Put the pretend device into every Python process that has this folder on PYTHONPATH, kernels of notebooks too."""

import importlib.util
import sys
from pathlib import Path

_init = Path(__file__).resolve().parents[1] / "__init__.py"
_spec = importlib.util.spec_from_file_location("pretend_cuda", _init, submodule_search_locations=[str(_init.parent)])
sys.modules["pretend_cuda"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["pretend_cuda"])
sys.modules["pretend_cuda"].install()
