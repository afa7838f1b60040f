"""Corpora for pretraining: any folders of EEG, preprocessed once, read as fast as a GPU trains.

`build` makes one (`eegemo corpus build FOLDER OUT`), `open` opens one or more, also files in the layout of the
released LaBraM code, `Corpus.batches` gives batches, `check` holds one against its checksums.
"""

from eegemo_utils.corpus.building import build
from eegemo_utils.corpus.channels import LABRAM_CHANNELS, labram_name
from eegemo_utils.corpus.checking import check
from eegemo_utils.corpus.opening import Corpus, skipped
from eegemo_utils.corpus.opening import open_corpus as open
from eegemo_utils.corpus.preprocessing import preprocess
from eegemo_utils.corpus.slices import Recording

__all__ = ["LABRAM_CHANNELS", "Corpus", "Recording", "build", "check", "labram_name", "open", "preprocess",
           "skipped"]
