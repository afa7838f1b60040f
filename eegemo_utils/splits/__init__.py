"""Evaluation protocols: who is trained on, who chooses the epoch, who is tested.

Every split is made from the columns of the windows' table (``subject``, ``session``, ``trial``,
``label``), never from row positions, so a leak can be read off the code. Three protocols exist:

``published``   the paper's own split, leaks and all; it exists to show what it does to a score
``by_trial``    a whole trial (recording) stands on one side only
``by_subject``  a whole person stands on one side only; no window of a tested person is trained on

A table may have a column ``group``: trials of a recording that share samples or a stimulus presentation and
must stay together. It then stands in the place of ``trial`` wherever whole trials are kept on one side, and
`guard` refuses a split that tears a group apart.

`by_trial` and `by_subject` make honest folds of any table; the others are what papers print.
"""

from eegemo_utils.splits.clips import (
    block_folds,
    first_trials,
    last_of_each_class,
    leave_clips_out,
    segment_folds,
    window_folds,
)
from eegemo_utils.splits.core import PROTOCOLS, TRIAL_KEY, LeakError, Split, guard
from eegemo_utils.splits.folds import by_clip, by_subject, by_trial, random_split
from eegemo_utils.splits.meaningless import meaningless_labels
from eegemo_utils.splits.people import (
    EEGMAT_CBRAMOD,
    FACED_CBRAMOD,
    FACED_FOLDS,
    leave_one_subject_out,
    official_evaluation,
    people_folds,
    people_parts,
)

__all__ = [
    "EEGMAT_CBRAMOD", "FACED_CBRAMOD", "FACED_FOLDS", "PROTOCOLS", "TRIAL_KEY", "LeakError", "Split", "block_folds",
    "by_clip", "by_subject", "by_trial", "first_trials", "guard", "last_of_each_class", "leave_clips_out",
    "leave_one_subject_out", "meaningless_labels", "official_evaluation", "people_folds", "people_parts",
    "random_split", "segment_folds", "window_folds"]
