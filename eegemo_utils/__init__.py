"""Shared pieces of the EEG emotion-recognition notebooks.

Nothing is imported here: a notebook asks for the module it needs (``from eegemo_utils import splits``),
so that reading a table never waits for PyTorch.
"""

__version__ = "0.1.0"
