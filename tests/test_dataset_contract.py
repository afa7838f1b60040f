"""What every dataset promises: written people come back, help is whole, faults are named, others' files are left."""

import shutil
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from eegemo_utils import datasets
from eegemo_utils.montage import make_info
from eegemo_utils.trials import DatasetError, Trials

DATASETS = {name: module.DATASET for name, module in datasets.MODULES.items() if hasattr(module, "DATASET")}
# two people each, as small as can be
SMALL = {"deap": {"n_trials": 2, "n_seconds": 1.0},
         "dreamer": {"n_clips": 2, "n_seconds": 1.0, "baseline_seconds": 0.5},
         "eegmat": {"n_subjects": 2, "rest_seconds": 2, "arithmetic_seconds": 2},
         "mped": {"n_seconds": 2.0}, "faced": {"n_seconds": 1.0}, "mobi": {"n_trials": 1, "n_seconds": 2.0},
         "seed": {"n_sessions": 1, "n_trials": 2, "n_seconds": 3.0},
         "seed_v": {"n_sessions": 1, "n_trials": 2, "n_seconds": 4.0},
         "seed_iv": {"n_sessions": 2, "n_trials": 2, "n_seconds": 8.0}}
# options of `read` for what was written in a form, where there are any
READ = {(name, "features"): {"form": "features"} for name in ("faced", "seed", "seed_iv", "seed_v")}
STORED = {("mped", ""), *READ}  # features of the signals, not the signals
# share of a range by which a signal may come back changed: 16 bits, steps of 0.1 or 0.001 microvolt, 250 Hz stored at
# 1000
CHANGED = {("eegmat", ""): 1 / 60000, ("mobi", ""): 6e-3, ("seed_v", "raw"): 1e-4, ("faced", "bids"): 0.05}
FORMS = [(name, form) for name, dataset in DATASETS.items() for form in dataset.forms or ("",)]
ONE_FILE = {"dreamer"}  # holds all people
FIRST = [(name, (dataset.forms or ("",))[0]) for name, dataset in DATASETS.items()]
UNNAMED = {"mped"}  # names of files are people's: errors tell places instead


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Function that gives the simulated cohort of a dataset, the folder it was written into, and its files."""
    made = {}

    def of(name, form):
        if (name, form) not in made:
            root = tmp_path_factory.mktemp("mit Leerzeichen ß 日本") / name
            cohort = datasets.MODULES[name].simulate(**SMALL[name])
            made[name, form] = cohort, root, write(name, cohort, root, form)
        return made[name, form]

    return of


def write(name, cohort, root, form):
    return datasets.MODULES[name].write(cohort, root, *([form] if form else []))


def read(name, form, root, *arguments):
    return datasets.MODULES[name].read(root, *arguments, **READ.get((name, form), {}))


def fault_of(name, form, root):
    """Message of the error of `read`, which `check` must give as a fault."""
    with pytest.raises(DatasetError) as caught:
        read(name, form, root)
    report = datasets.MODULES[name].check(root)
    assert not report.ok and f"fault: {caught.value}" in report.missing, report.text()
    return str(caught.value)


def snapshot(root):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in Path(root).rglob("*")}


# ---- facts and help ----

def test_every_dataset_on_the_driver_is_tested_here():
    assert set(DATASETS) == set(SMALL)


@pytest.mark.parametrize("name", DATASETS)
def test_facts_and_help_are_whole(name):
    dataset, module = DATASETS[name], datasets.MODULES[name]
    assert list(module.FACTS) == ["name", "title", "licence", "source", "channels", "sfreq", "labels", "folders",
                                  "papers"]
    assert module.FACTS["name"] == name and all(module.FACTS.values())
    assert module.FACTS["channels"].split(", ") == list(dataset.ch_names)
    text = " ".join(module.read.__doc__.split())
    assert dataset.unit in text and ", ".join(dataset.ch_names) in text and " ".join(dataset.place.split()) in text
    for column, meaning in dataset.columns.items():
        assert (f"{column} ({meaning})" if meaning else column) in text
    for option, about in dataset.options.items():
        assert f"{option} : str, default {about.default!r} {about.text}" in text
        assert all(choice in text for choice in about.choices)
    for size, about in dataset.sizes.items():
        assert f"{size} : " in module.simulate.__doc__ and about.text.split(",")[0].rstrip(".") in " ".join(
            module.simulate.__doc__.split())
    for function in ("read", "check", "write", "simulate"):
        assert getattr(module, function).__module__ == module.__name__
        assert getattr(module, function).__name__ == function


@pytest.mark.parametrize("name", DATASETS)
def test_sizes_out_of_range_are_refused(name):
    for size, about in DATASETS[name].sizes.items():
        wrong = [about.lowest - 1, float("nan"), "many", None] + [about.highest + 1] * (about.highest < float("inf"))
        for value in wrong if about.default is not None else wrong[:3]:
            if size == "n_subjects" and value is None:
                continue  # the default
            with pytest.raises(ValueError, match=f"^{size}: expected a .* at least"):
                datasets.MODULES[name].simulate(**SMALL[name] | {size: value})


@pytest.mark.parametrize("name", DATASETS)
def test_options_that_are_not_known_are_named(name, tmp_path):
    for option, about in DATASETS[name].options.items():
        if about.choices:
            with pytest.raises(DatasetError, match=f"no {option} is called 'joy'; there are {about.choices[0]}"):
                datasets.load(name, tmp_path, **{option: "joy"})
    with pytest.raises(TypeError):
        datasets.MODULES[name].read(tmp_path, nonsense=1)


# ---- what is written comes back ----

@pytest.mark.parametrize("name, form", FORMS)
def test_written_people_come_back(written, name, form):
    cohort, root, paths = written(name, form)
    dataset, back = DATASETS[name], read(name, form, root)
    assert paths and all(path.is_file() for path in paths) and not list(root.rglob("*.partial"))
    assert back.description == cohort.description == f"simulated {dataset.short} cohort"
    electrodes = make_info(dataset.ch_names, dataset.sfreq)["ch_names"]
    assert back.info["ch_names"] == cohort.info["ch_names"] == dataset.info()["ch_names"]
    assert back.info["ch_names"][:len(electrodes)] == electrodes
    table = back.table
    if (name, form) in STORED:
        assert back.X.dtype == np.float32 and np.isfinite(back.X).all() and back.bands == dataset.bands
        assert list(table.columns) == list(dataset.columns)
        for _, rows in table.groupby(["subject", "session", "trial"]):
            assert rows["window"].tolist() == list(range(len(rows)))
        table = table.drop(columns="window").drop_duplicates().reset_index(drop=True)
    else:
        assert list(table.columns) == [column for column in dataset.columns if column != "window"]
        for mine, theirs in zip(back.signals, cohort.signals):
            allowed = np.ptp(theirs, axis=1) * CHANGED.get((name, form), 0) + 1e-12
            inner = slice(25, -25) if form == "bids" else slice(None)  # a filter's ends
            assert (np.abs(mine - theirs)[:, inner].max(axis=1) <= allowed).all()
    pd.testing.assert_frame_equal(table, cohort.table)


@pytest.mark.parametrize("name, form", FORMS)
def test_check_says_what_read_does_and_nothing_is_written(written, name, form):
    _, root, _ = written(name, form)
    before = snapshot(root)
    said = read(name, form, root).decisions
    report = datasets.MODULES[name].check(root)
    assert report.ok and report.found[0] == read(name, form, root).description
    told = "\n".join([*report.decisions, *report.missing])
    assert all(line in told for line in said), report.text()
    assert not any(line.startswith("fault: ") for line in report.missing)
    assert any("2 people, 0 of them faulty" in line for line in report.found)
    assert (name, form) in STORED or any("alpha is strongest" in line for line in report.found)
    if (name, form) in READ:
        assert any(line.startswith(f"forms that are here: {form}") for line in report.found)
    assert snapshot(root) == before


@pytest.mark.parametrize("name, form", FIRST)
def test_people_are_chosen_by_name_and_by_number(written, name, form):
    _, root, _ = written(name, form)
    whole = read(name, form, root)
    people = list(whole.table["subject"].unique())
    first = people[0]
    number = int("".join(letter for letter in first if letter.isdigit()))
    for asked in ([first], first, [number], number):
        one = read(name, form, root, asked)
        assert one.table["subject"].unique().tolist() == [first]
        assert one.fingerprint() == whole.select(whole.table["subject"] == first).fingerprint()
    for asked in (["nobody"], "s", [99], []):
        with pytest.raises(DatasetError, match=", ".join(people)):
            read(name, form, root, asked)


@pytest.mark.parametrize("name, form", [case for case in FORMS if case[0] not in ONE_FILE])
def test_only_the_files_of_the_people_asked_for_are_opened(written, tmp_path, name, form):
    _, root, _ = written(name, form)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    sources, _ = DATASETS[name].sources(copy, None, **READ.get((name, form), {}))
    for source in sources:
        if source.subject != sources[0].subject:
            for path in source.path.iterdir() if source.path.is_dir() else [source.path]:
                path.write_bytes(b"damaged")
    assert read(name, form, copy, sources[0].subject).table["subject"].unique().tolist() == [sources[0].subject]
    with pytest.raises(DatasetError):
        read(name, form, copy)


@pytest.mark.parametrize("name, form", FORMS)
def test_electrodes_are_written_by_name(written, tmp_path, name, form):
    cohort, root, paths = written(name, form)
    order = np.random.default_rng(0).permutation(len(cohort.info["ch_names"]))
    moved = Trials([signal[order] for signal in cohort.signals], mne.pick_info(cohort.info, order), cohort.table, None,
                   cohort.description)
    write(name, moved, tmp_path, form)
    assert read(name, form, tmp_path).fingerprint() == read(name, form, root).fingerprint()


# ---- faults ----

@pytest.mark.parametrize("name, form", FORMS)
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "gone"])
def test_a_damaged_file_is_a_fault_that_names_it(written, tmp_path, name, form, damage):
    _, root, paths = written(name, form)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    path = copy / paths[0].relative_to(root)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
        if name in ONE_FILE:
            assert str(copy) in fault_of(name, form, copy)
        return
    path.write_bytes({"cut": content[:-len(content) // 3], "empty": b"", "text": b"my notes\n" * 99}[damage])
    message = fault_of(name, form, copy)
    assert ("sorted order" if name in UNNAMED else path.name) in message
    assert "expected" in message and (" found" in message or "truncated" in message)


@pytest.mark.parametrize("name", DATASETS)
def test_folders_of_others_are_refused(written, tmp_path, name):
    other = "eegmat" if name != "eegmat" else "deap"
    places = {"missing": tmp_path / "missing", "empty": tmp_path, "other": written(other, DATASETS[other].forms[:1][0]
                                                                                 if DATASETS[other].forms else "")[1]}
    for root in places.values():
        for form in DATASETS[name].forms[:1] or ("",):
            assert str(root) in fault_of(name, form, root)


@pytest.mark.parametrize("name, form", [case for case in FORMS if case[0] not in ONE_FILE])
def test_copies_of_people_are_told(written, tmp_path, name, form):
    _, root, _ = written(name, form)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    options = READ.get((name, form), {})
    sources, _ = DATASETS[name].sources(copy, None, **options)
    first, second = (next(one for one in sources if one.subject == who) for who in list(
        dict.fromkeys(source.subject for source in sources))[:2])
    if second.path.is_dir():
        for path in first.path.iterdir():
            (second.path / path.name.replace(first.path.parent.name, second.path.parent.name)).write_bytes(
                path.read_bytes())
    else:
        second.path.write_bytes(first.path.read_bytes())
    said = f"{second.name} and {first.name} hold the same signals: one of them is a copy"
    assert said in read(name, form, copy).decisions
    report = datasets.MODULES[name].check(copy)
    assert report.ok and any(said in line for line in report.missing)


# ---- what is not written ----

def changed(cohort, **columns):
    return Trials(cohort.signals, cohort.info, cohort.table.assign(**columns))


@pytest.mark.parametrize("name, form", FIRST)
def test_what_does_not_fit_is_not_written(written, tmp_path, name, form):
    cohort, dataset = written(name, form)[0], DATASETS[name]
    names = cohort.info["ch_names"]
    wrong = {f"missing: {names[-1]}": Trials([signal[:-1] for signal in cohort.signals],
                                             mne.pick_info(cohort.info, range(len(names) - 1)), cohort.table),
             f"at {dataset.sfreq:g} Hz.*found 300 Hz": Trials(cohort.signals, make_info(names, 300.0), cohort.table),
             "people .*found bob": changed(cohort, subject="bob", trial=range(len(cohort)))}
    wrong |= {f"missing: {column}": Trials(cohort.signals, cohort.info, cohort.table.drop(columns=column))
              for column in dataset.needed}
    for message, trials in wrong.items():
        with pytest.raises(DatasetError, match=f"new: {dataset.short} .*{message}"):
            write(name, trials, tmp_path / "new", form)
    with pytest.raises(DatasetError, match="forms|one form") if dataset.forms else pytest.raises(TypeError):
        datasets.MODULES[name].write(cohort, tmp_path / "new", "wav")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name, form", FORMS)
def test_other_recordings_are_never_replaced(written, tmp_path, name, form):
    cohort, root, paths = written(name, form)
    original = tmp_path / paths[0].relative_to(root)
    original.parent.mkdir(parents=True, exist_ok=True)
    original.write_bytes(b"an original")
    with pytest.raises(DatasetError, match="holds .*other .*Give a new folder"):
        write(name, cohort, tmp_path, form)
    assert original.read_bytes() == b"an original"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [original]


@pytest.mark.parametrize("name, form", FIRST)
def test_the_same_cohort_is_written_again_and_another_is_not(written, tmp_path, name, form):
    cohort = written(name, form)[0]
    write(name, cohort, tmp_path, form)
    whole = read(name, form, tmp_path).fingerprint()
    write(name, cohort, tmp_path, form)
    assert read(name, form, tmp_path).fingerprint() == whole
    if name not in ONE_FILE:
        with pytest.raises(DatasetError, match="other recordings"):
            write(name, cohort.select(cohort.table["subject"] == cohort.table["subject"][0]), tmp_path, form)


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in READ))
def test_forms_lie_side_by_side_and_others_in_any_form_are_kept_out(written, tmp_path, name):
    cohort = written(name, "raw")[0]
    for form in ("raw", "features"):
        write(name, cohort, tmp_path, form)
        assert read(name, form, tmp_path).fingerprint() == read(name, form, written(name, form)[1]).fingerprint()
    assert datasets.MODULES[name].check(tmp_path).ok and not list(tmp_path.rglob("*.partial"))
    one = cohort.select(cohort.table["subject"] == cohort.table["subject"][0])
    for form in ("raw", "features"):
        with pytest.raises(DatasetError, match="holds other recordings"):
            write(name, one, tmp_path, form)
