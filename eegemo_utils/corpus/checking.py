"""``eegemo corpus check``: is a corpus whole, and what is in it."""

import warnings
from pathlib import Path

from eegemo_utils.corpus import index, store
from eegemo_utils.corpus.opening import Corpus, open_corpus
from eegemo_utils.datasets.common import eeg_signal
from eegemo_utils.datasets.plausible import remarks
from eegemo_utils.trials import DatasetError, Report


class CorpusReport(Report):
    """What a corpus holds, what is wrong with it, and what a reader should know of how it was made."""

    def text(self) -> str:
        """The report as lines to print; a part that has nothing in it is left out."""
        lines = [f"{self.name}: {self.path}: {'can be read' if self.ok else 'must not be used as it is'}"]
        for title, part in (("found", self.found), ("wrong", self.missing), ("to know", self.decisions)):
            if part:
                lines += [f"  {title}:", *(f"    {line}" for line in part)]
        return "\n".join(lines)


def check(path) -> Report:
    """Hold every recording of a corpus against its checksum, and say what is in it. Raises nothing.

    Files in the layout of the released code have no checksums: they are read for values that are not finite or not
    in microvolt.
    """
    path = Path(path)
    report = CorpusReport("corpus", path, ok=False)
    try:
        if path.is_dir() and (path / index.NAME).is_file() and not index.load(path)["complete"]:
            return _unfinished(path, report)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            corpus = open_corpus(path)
    except DatasetError as error:
        report.missing.append(str(error))
        return report
    report.found += [repr(corpus).strip("<>"), *(f"{len(names)} channels, {corpus.hours_of(names):.2f} h: "
                                                 f"{', '.join(names)}" for names in corpus.montages)]
    report.decisions += [*(str(one.message) for one in told if one.category is UserWarning), *corpus.decisions]
    _look_at_all(corpus, report)
    report.ok = not report.missing
    return report


def _unfinished(path: Path, report: Report) -> Report:
    content = index.load(path)
    done = len(index.stored_paths(path))
    report.missing.append(f"not finished: {done} of {content['n_sources']} files. Run `eegemo corpus build` "
                          f"again: what is finished is not repeated.")
    return report


def _look_at_all(corpus: Corpus, report: Report) -> None:
    """Read every number."""
    for place, one in enumerate(corpus.recordings):
        try:
            if one.own:
                store.verify(one.path)
            else:
                signal = eeg_signal(corpus.signal(place), one.ch_names, one.name)
                report.decisions += remarks([signal], one.ch_names, one.name)
        except DatasetError as error:
            report.missing.append(str(error))
