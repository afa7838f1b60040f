"""The names under which readers know what is now in `eegemo_utils.files`."""

from eegemo_utils.files import files_below as files_below
from eegemo_utils.files import in_words as in_words
from eegemo_utils.files import unreadable as unreadable
