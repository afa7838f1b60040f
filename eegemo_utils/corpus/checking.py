"""``eegemo corpus check``: is a corpus whole, and what is in it."""

from pathlib import Path

from eegemo_utils.corpus import index, store
from eegemo_utils.corpus.opening import Corpus, open_corpus
from eegemo_utils.datasets.common import eeg_signal
from eegemo_utils.datasets.plausible import remarks
from eegemo_utils.trials import DatasetError, Report


def check(path) -> Report:
    """Hold every recording of a corpus against its checksum, and say what is in it. Raises nothing.

    Files in the layout of the released code have no checksums: they are read for values that are not finite or not
    in microvolt.
    """
    path = Path(path)
    report = Report("corpus", path, ok=False)
    try:
        if path.is_dir() and (path / index.NAME).is_file() and not index.load(path)["complete"]:
            return _unfinished(path, report)
        corpus = open_corpus(path)
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    report.found += [repr(corpus).strip("<>"), *(f"{len(names)} channels, {corpus.hours_of(names):.2f} h: "
                                                 f"{', '.join(names)}" for names in corpus.montages)]
    report.decisions += corpus.decisions
    _look_at_all(corpus, report)
    report.ok = not report.missing
    return report


def _unfinished(path: Path, report: Report) -> Report:
    content = index.load(path)
    done = len(index.stored_paths(path))
    report.missing.append(f"fault: not finished: {done} of {content['n_sources']} files. Run `eegemo corpus build` "
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
            report.missing.append(f"fault: {error}")
