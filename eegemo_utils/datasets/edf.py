"""See `eegemo_utils.datasets.formats.edf`."""

from eegemo_utils.datasets.formats.edf import *  # noqa: F403
