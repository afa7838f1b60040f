"""``eegemo corpus build``: a folder of EEG files becomes a corpus, each file once, in any number of sittings."""

import warnings
from contextlib import contextmanager
from pathlib import Path

from eegemo_utils.corpus import index
from eegemo_utils.corpus.making import Job, changed, finished, make, settings_text
from eegemo_utils.corpus.preprocessing import NOTCH
from eegemo_utils.datasets import eeg_folder_files as files
from eegemo_utils.datasets.common import read_description
from eegemo_utils.datasets.plausible import few
from eegemo_utils.files import take_lock
from eegemo_utils.processes import Died, each
from eegemo_utils.trials import DatasetError

LOCK = ".lock"


def build(folder, out, *, notch=NOTCH, n_jobs: int = 1, progress: bool = True, tell=None) -> Path:
    """Preprocess every EEG file of a folder once and store it for pretraining.

    Each file is stored for itself, in one move. So a build that was killed goes on where it was when called again,
    repeats nothing that was finished, and gives the same corpus to the byte.

    Parameters
    ----------
    folder : path
        EEG files of any kind that MNE reads, also in folders below it.
    out : path
        The corpus: a folder, made when missing.
    notch : sequence of float
        Mains frequencies to take out, in Hz.
    n_jobs : int
        Processes; each holds a recording three times in float64. With 1, a file that crashes its reader ends this
        process; with more, it is skipped.
    progress : bool
        Show a bar.
    tell : callable, optional
        Takes a line for each recording that is made anew because its file has changed.

    Returns
    -------
    Path
        `out`. What was skipped, dropped and doubted is in its index: see `eegemo_utils.corpus.check`.

    Raises
    ------
    DatasetError
        When `folder` holds no EEG file, none can be used, or `out` holds another corpus, or one is built there now.
    OSError
        When the disk is full, or another refusal of the system to write: see `eegemo_utils.files.save_bytes`.
    """
    folder, out = Path(folder), Path(out)
    if n_jobs < 1 or any(not hz > 0 for hz in notch):
        raise ValueError(f"n_jobs must be at least 1 and mains frequencies above 0 Hz, found {n_jobs}, {notch}")
    jobs = _jobs(folder, out, tuple(notch))
    settings = settings_text(notch)
    if out.is_dir():
        _same_corpus(out, settings, jobs)  # before anything is written there: a refusal leaves the folder as it was
    with _alone(out):
        _same_corpus(out, settings, jobs)
        description, _ = read_description(folder, f"EEG files in {folder.resolve().name}")
        about = {"description": description, "settings": settings, "n_sources": len(jobs)}
        index.save(out, about | {"complete": False, "recordings": [], "skipped": {}})
        for job in jobs if tell else ():
            if changed(job):
                tell(f"{job.name}: the file has changed since its recording was made; it is made anew")
        facts, skipped = _make_all(jobs, n_jobs, progress)
        ordered = [facts[job.name] for job in jobs if job.name in facts]
        index.save(out, about | {"complete": True, "recordings": ordered, "skipped": dict(sorted(skipped.items()))})
    if not ordered:
        raise DatasetError(f"{folder}: no file could be used, {len(skipped)} skipped: {few(skipped.values(), 3)}"[:700])
    for line in [line for entry in ordered for line in entry["remarks"] if "expected" in line]:
        warnings.warn(line, stacklevel=2)
    return out


def _jobs(folder: Path, out: Path, notch: tuple[float, ...]) -> list[Job]:
    """One job a file, in the order of names; what lies in the corpus itself is no source."""
    sources = [path for path in files.find(folder) if out.resolve() not in path.resolve().parents]
    names = [path.name if folder.is_file() else path.relative_to(folder).as_posix() for path in sources]
    return [Job(path, name, index.recording_path(out, name), notch) for path, name in zip(sources, names)]


@contextmanager
def _alone(out: Path):
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out}: is a file. Give a folder for the corpus.")
    out.mkdir(parents=True, exist_ok=True)
    lock = take_lock(out / LOCK, DatasetError(f"{out}: another process builds a corpus there now. Wait for it."))
    try:
        yield
    finally:
        lock.release()


def _same_corpus(out: Path, settings: str, jobs: list[Job]) -> None:
    """Raise when `out` holds anything that would be mixed with what is to be built."""
    known = index.load(out, missing_ok=True)
    if known is not None and known["settings"] != settings:
        raise DatasetError(f"{out}: expected a corpus made with {settings}, found one made with {known['settings']}. "
                           f"Build into a new folder, or go on with what it was made with.")
    if known is None and any(path.name[0] != "." and path.name != index.FOLDER for path in out.iterdir()):
        raise DatasetError(f"{out}: expected a new folder or a corpus, found other files. Give a new folder.")
    targets = {job.target for job in jobs}
    strange = [path for path in index.stored_paths(out) if path not in targets]
    if strange:
        raise DatasetError(f"{out}: holds recordings of files that are not in the folder, such as "
                           f"{strange[0].relative_to(out).as_posix()}. Build into a new folder (several corpora are "
                           f"opened together), or delete them.")


def _make_all(jobs: list[Job], n_jobs: int, progress: bool) -> tuple[dict[str, dict], dict[str, str]]:
    from tqdm.auto import tqdm  # late: in a notebook it wants widgets, which only a bar needs

    facts = {job.name: found for job in jobs if (found := finished(job)) is not None}
    left = [job for job in jobs if job.name not in facts]
    skipped: dict[str, str] = {}
    bar = tqdm(total=len(jobs), initial=len(facts), unit="file", disable=None if progress else True)
    with bar:
        for job, result in each(make, left, min(n_jobs, max(1, len(left)))):
            if isinstance(result, Died):
                skipped[job.name] = (f"{job.source}: the process that read it died, twice: out of memory, or a damaged "
                                     f"file. Try with one process fewer, or take it away.")
            elif "skipped" in result:
                skipped[job.name] = result["skipped"]
            else:
                facts[job.name] = result
            bar.update()
    return facts, skipped
