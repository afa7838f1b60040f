"""See `eegemo_utils.datasets.formats.mat`."""

from eegemo_utils.datasets.formats.mat import leaves, load_mat, names_in, save_mat  # noqa: F401
