"""One tidy table from many run folders, and what can be said over its rows.

``collect(folder)`` reads every run below a folder, whoever made it (``eegemo run``, ``eegemo sweep``, several of
them side by side); ``summarise`` gives means, standard deviations and bootstrap intervals with a stated "over";
``audit`` does so for the protocols of each network over the same people and seeds; ``compare`` sets them against each
other in pairs.

Columns of the table: ``run`` (the folder, relative), ``sweep``, ``notebook``, ``data`` (what kind of data the
scores come from, one of KINDS_OF_DATA), ``status`` (``eegemo_utils.runs.states``),
``attempts``, ``seconds``, ``peak_memory_mb`` (MiB), ``kind``, ``cell`` and ``reason`` (of a failure), ``code``
(digest of the notebook's code), ``fingerprint``, then ``parameters.*``, ``metrics.*`` and ``provenance.*`` by the
names in ``metrics.json``.
"""

from ..runs.states import STATUSES
from .comparisons import compare
from .folders import KINDS_OF_DATA, kind_of_data
from .summaries import AUDIT, NO_PAIRS, audit, groups, summarise
from .table import Collection, collect, make_folder, write_tables

__all__ = ["AUDIT", "KINDS_OF_DATA", "NO_PAIRS", "STATUSES", "Collection", "audit", "collect", "compare", "groups",
           "kind_of_data", "make_folder", "summarise", "write_tables"]
