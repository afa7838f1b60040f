"""DEAP: what is written is the release's own layout, files made by hand are read, faulty ones are named."""

import pickle
import struct
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.datasets import deap
from eegemo_utils.trials import DatasetError, Trials

# the order of the release, typed from torcheeg's constants and LibEER's, not taken from the package
CHANNELS = ("Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz "
            "Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2").split()


@pytest.fixture(scope="module")
def cohort():
    return deap.simulate(2, n_trials=4, n_seconds=2, random_state=1)


def small(n_trials=3, n_times=640, seed=0):
    """Arrays as in a file, but small: data and labels."""
    rng = np.random.default_rng(seed)
    return {"data": rng.normal(0, 10, (n_trials, 40, n_times)), "labels": rng.uniform(1, 9, (n_trials, 4))}


def folder(path, **files):
    """A folder that says it was written, so that small files may lie in it."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "DESCRIPTION.txt").write_text("simulated DEAP cohort\n")
    for name, content in files.items():
        (path / f"{name}.dat").write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return path


def fault_of(root):
    """Message of the error; it must name the file, and `check` must give it too."""
    with pytest.raises(DatasetError) as caught:
        deap.read(root)
    report = deap.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    assert "s01" in str(caught.value)
    return str(caught.value)


def python2_pickle(arrays):
    """The pickle that Python 2 made of a dict of arrays: its opcodes typed out, with a memo."""
    def text(value):
        return b"U" + bytes([len(value)]) + value.encode() + b"q\x05"

    out = b"\x80\x02}q\x01("
    for name, array in arrays.items():
        out += text(name) + b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85U\x01b\x87R"
        out += b"q\x04(K\x01(" + b"".join(b"M" + struct.pack("<H", size) for size in array.shape) + b"t"
        out += b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        out += b"T" + struct.pack("<i", array.nbytes) + array.tobytes() + b"tb"
    return out + b"u."


# ---- what is written reads back ----

@pytest.mark.parametrize("form", ["dat", "mat"])
def test_the_layout_is_the_release_s_own(tmp_path, cohort, form):
    path, other = deap.write(cohort, tmp_path, form)
    assert (path.name, other.name) == (f"s01.{form}", f"s02.{form}")
    if form == "dat":
        content = path.read_bytes()
        assert content.startswith(b"\x80\x02}") and b"numpy.core.multiarray" in content
        with path.open("rb") as file:
            found = pickle.load(file, encoding="latin1")  # our own file: as its users open it
        assert list(found) == ["labels", "data"]
    else:
        found = scipy.io.loadmat(path)
    assert found["data"].shape == (4, 40, 640) and found["data"].dtype == np.float64
    assert found["labels"].shape == (4, 4) and found["labels"].dtype == np.float64
    assert (found["labels"] >= 1).all() and (found["labels"] <= 9).all()
    assert not found["data"][:, 32:].any()
    np.testing.assert_array_equal(found["labels"], cohort.table.loc[:3, list(deap.RATINGS)])
    np.testing.assert_array_equal(found["data"][2, 13].astype("f4"),
                                  cohort.signals[2][cohort.info["ch_names"].index("O1")])


def test_facts_and_simulated_defaults():
    assert list(deap.GENEVA) == CHANNELS and len(deap.PERIPHERAL) == 8
    assert deap.SHAPE == (40, 40, 63 * 128) and len(deap.SUBJECTS) == 32
    trials = deap.simulate(n_seconds=1)
    assert len(trials) == 80 and trials.signals[0].shape == (32, 4 * 128)
    ratings = trials.table[list(deap.RATINGS)]
    assert ratings.min().min() >= 1 and ratings.max().max() <= 9
    assert trials.table.groupby("subject")["label"].nunique().eq(2).all()
    assert (trials.table["baseline_seconds"] == 3.0).all() and trials.description.startswith("simulated")
    again = deap.simulate(1, n_trials=2, n_seconds=1)
    np.testing.assert_array_equal(again.signals[1], trials.signals[1])  # fewer of both change nothing


# ---- files made by hand ----

def test_a_full_file_of_python_2_is_read_in_little_memory(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"labels": rng.uniform(1, 9, (40, 4)), "data": np.tile(rng.normal(0, 5, (1, 40, 8064)), (40, 1, 1))}
    arrays["data"][7, 13, 100] = 42.0
    arrays["labels"][3] = 5.0, 5.01, 1.0, 9.0
    path = tmp_path / "data_preprocessed_python" / "s07.dat"
    path.parent.mkdir()
    path.write_bytes(python2_pickle(arrays))
    expected, size = arrays["data"][:, :32].astype("f4"), arrays["data"].nbytes
    del arrays["data"]
    tracemalloc.start()
    trials = deap.read(tmp_path, ["s07"], target="arousal")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size
    np.testing.assert_array_equal(np.stack(trials.signals), expected)
    assert trials.signals[7][CHANNELS.index("O1"), 100] == 42
    assert list(trials.table.columns) == ["subject", "session", "trial", "label", "valence", "arousal", "dominance",
                                          "liking", "baseline_seconds"]
    row = trials.table.loc[3]
    assert (row["subject"], row["trial"], row["valence"], row["label"]) == ("s07", 4, 5.0, "high")
    assert "0 rating(s) of exactly 5 are low" in trials.decisions[1]
    assert "hEOG" in trials.decisions[0]


@pytest.mark.parametrize("dump", [python2_pickle, pickle.dumps, lambda parts: pickle.dumps(parts, 2),
                                  lambda parts: pickle.dumps({k.encode(): v for k, v in parts.items()})])
def test_pickles_of_every_age_are_read(tmp_path, dump):
    parts = small()
    parts["labels"][0, 0], parts["labels"][1, 0] = 5.0, 5.0001
    trials = deap.read(folder(tmp_path, s01=dump(parts)))
    np.testing.assert_array_equal(trials.signals[2], parts["data"][2, :32].astype("f4"))
    assert list(trials.table["label"][:2]) == ["low", "high"]  # strictly above 5


def test_matlab_files_made_by_hand_are_read(tmp_path):
    parts = small()
    for compressed in (False, True):
        scipy.io.savemat(folder(tmp_path) / "s02.mat", parts, do_compression=compressed)
        trials = deap.read(tmp_path)
        np.testing.assert_array_equal(trials.signals[1], parts["data"][1, :32].astype("f4"))
        np.testing.assert_array_equal(trials.table[list(deap.RATINGS)], parts["labels"])


def test_extra_files_and_second_forms_are_told(tmp_path):
    root = folder(tmp_path, s01=small(seed=1), s33=b"", notes=b"")
    folder(root / "data_preprocessed_matlab")
    scipy.io.savemat(root / "data_preprocessed_matlab" / "s01.mat", small(seed=2))
    trials = deap.read(root)
    np.testing.assert_array_equal(trials.signals[0], small(seed=1)["data"][0, :32].astype("f4"))
    assert any("notes.dat, s33.dat" in line and "ignored" in line for line in trials.decisions)
    assert any(".dat is read" in line for line in trials.decisions)


def test_one_class_is_told(tmp_path):
    parts = small()
    parts["labels"][:, 2] = 8
    assert any("all trials of s01 have one label" in line
               for line in deap.read(folder(tmp_path, s01=parts), target="dominance").decisions)


def listed(cohort):
    """The release's list of ratings: people by number, videos by Experiment_id, in the order of presentation."""
    rows = cohort.table.sample(frac=1, random_state=0)
    columns = {name.capitalize(): rows[name].round(2) for name in ("valence", "arousal", "dominance", "liking")}
    return pd.DataFrame({"Participant_id": rows["subject"].str[1:].astype(int), "Trial": range(1, len(rows) + 1),
                         "Experiment_id": rows["trial"], "Start_time": 1695918, **columns, "Familiarity": ""})


def test_ratings_are_held_against_the_release_s_list(tmp_path, cohort):
    root = tmp_path / "data_preprocessed_python"
    deap.write(cohort, root)
    said = deap.check(root).missing
    table = listed(cohort)
    for place in (root, tmp_path, tmp_path / "metadata_csv"):
        place.mkdir(exist_ok=True)
        table.to_csv(place / "participant_ratings.csv", index=False)
        assert deap.check(root).missing == said, "all ratings agree"
        (place / "participant_ratings.csv").unlink()
    for row, column, change in ((("s01", 2), "Valence", lambda r: 9 - r), (("s02", 4), "Valence", lambda r: 9 - r),
                                (("s02", 1), "Liking", lambda r: r - 0.1)):
        place = (table["Participant_id"] == int(row[0][1:])) & (table["Experiment_id"] == row[1])
        table.loc[place, column] = change(table.loc[place, column])
    missing = (table["Participant_id"] == 1) & (table["Experiment_id"] == 1)
    table[~missing].to_csv(tmp_path / "participant_ratings.csv", index=False)
    report = deap.check(root)
    assert report.ok and report.missing[:3] == [
        "participant_ratings.csv does not list 1 of the trials",
        "valence differs from participant_ratings.csv, stored as 9 - r: s01 trial 2, s02 trial 4",
        "liking differs from participant_ratings.csv, another: s02 trial 1"]
    (tmp_path / "participant_ratings.csv").write_text("a,b\n1,2\n")
    assert "not compared" in deap.check(root).missing[0] and deap.check(root).ok


# ---- what is faulty ----

def with_value(value, place=(1, 5, 7)):
    parts = small()
    parts["data"][place] = value
    return parts


def with_rating(value):
    parts = small()
    parts["labels"][2, 1] = value
    return parts


class Evil:
    def __reduce__(self):
        return (print, ("this ran",))


@pytest.mark.parametrize("content, message", [
    (b"", "damaged or cut off"), (pickle.dumps(small())[:-100], "damaged or cut off"),
    (pickle.dumps([1, 2]), "arrays data and labels, found list"),
    (pickle.dumps({"data": 1}), r"found \['data'\]"),
    (pickle.dumps(small() | {"labels": np.array([["x"] * 4] * 3)}), "arrays data and labels"),
    (pickle.dumps(small() | {"data": np.zeros((3, 32, 640))}), r"found \(3, 32, 640\)"),
    (pickle.dumps(small() | {"data": np.zeros((40, 640, 3))}), r"found \(40, 640, 3\)"),
    (pickle.dumps(small() | {"data": np.zeros(())}), r"found \(\)"),
    (pickle.dumps(small() | {"data": np.zeros((3, 40, 384))}), r"found \(3, 40, 384\)"),
    (pickle.dumps(small() | {"labels": np.ones((2, 4))}), r"labels of shape \(3, 4\).*found \(2, 4\)"),
    (pickle.dumps(with_value(np.nan)), "s01.dat, trial 2: values of FC1 are not finite"),
    (pickle.dumps(with_value(np.inf)), "values of FC1 are not finite"),
    (pickle.dumps(small() | {"data": small()["data"] * 1e-6}), "trial 1: expected microvolt.*looks like volts"),
    (pickle.dumps(small() | {"data": small()["data"] * 1e6}), "expected microvolt"),
    (pickle.dumps(with_rating(9.5)), "trial 3: expected a rating of arousal from 1 to 9, found 9.5"),
    (pickle.dumps(with_rating(np.nan)), "found nan"), (pickle.dumps(with_rating(0.0)), "found 0"),
])
def test_faulty_files_are_named(tmp_path, content, message):
    with pytest.raises(DatasetError, match=message):
        raise DatasetError(fault_of(folder(tmp_path, s01=content)))


def test_other_signals_may_hold_anything(tmp_path):
    assert len(deap.read(folder(tmp_path, s01=with_value(np.nan, (1, 35, 7))))) == 3  # they are dropped


def test_excerpts_are_refused_outside_written_folders(tmp_path):
    root = folder(tmp_path, s01=small())
    (root / "DESCRIPTION.txt").unlink()
    assert "expected data of shape (40, 40, 8064)" in fault_of(root)


def test_a_pickle_that_would_run_something_does_not(tmp_path, capsys):
    message = fault_of(folder(tmp_path, s01=pickle.dumps(small() | {"extra": Evil()})))
    assert "print" in message and "Nothing was run" in message
    assert capsys.readouterr().out == ""


def test_matlab_files_of_another_dataset_are_refused(tmp_path):
    scipy.io.savemat(folder(tmp_path) / "s01.mat", {"de_LDS1": np.zeros((62, 5))})
    assert "missing: data, labels; found de_LDS1" in fault_of(tmp_path)


# ---- what cannot be written ----

def changed(cohort, **columns):
    return Trials(cohort.signals, cohort.info, cohort.table.assign(**columns))


def test_what_does_not_fit_is_not_written(tmp_path, cohort):
    wrong = {
        "not 'csv'": (cohort, "csv"), "go from 1 to 9": (changed(cohort, valence=9.5), "dat"),
        "other sessions": (changed(cohort, session=2), "dat"),
        "trials 1, 2, ...": (changed(cohort, trial=cohort.table["trial"] + 1), "dat"),
    }
    for message, (trials, form) in wrong.items():
        with pytest.raises(DatasetError, match=message):
            deap.write(trials, tmp_path, form)
    assert not list(tmp_path.iterdir())


# ---- damage of all kinds ----

@pytest.mark.parametrize("form", ["dat", "mat"])
def test_damaged_files_are_read_or_refused(tmp_path, form):
    root = folder(tmp_path)
    path = root / f"s01.{form}"
    deap.save(path, list(small(2, 400)["data"][:, :32]), np.full((2, 4), 3.0))

    @MUTATED
    @given(mutations(path.read_bytes()))
    def check(damaged):
        path.write_bytes(damaged)
        trials = reads_or_refuses(lambda: deap.read(root), path)
        assert trials is None or trials.signals[0].shape[0] == 32

    check()


# ---- what can be read and still cannot be true ----

def people_said(root):
    report = deap.check(root)
    return " ".join(deap.read(root).decisions), " ".join([*report.decisions, *report.missing])


@pytest.mark.parametrize("spoil, message", [
    (lambda data: data[:, 4].fill(7), "s01: flat, without any signal: FC5 (3 of 3 trials)"),
    (lambda data: np.multiply(data, 0.002, out=data), "s01: the EEG has a standard deviation of 0.02 microvolt"),
    (lambda data: np.multiply(data, 1000, out=data), "s01: the EEG has a standard deviation of 1e+04 microvolt"),
])
def test_signals_that_cannot_be_true_are_told(tmp_path, spoil, message):
    arrays = small()
    spoil(arrays["data"])
    assert all(message in said for said in people_said(folder(tmp_path, s01=arrays)))


def test_a_file_without_signal_is_refused(tmp_path):
    arrays = small()
    arrays["data"][:] = 0
    assert "every channel is flat" in fault_of(folder(tmp_path, s01=arrays))


def test_copies_and_missing_trials_are_told(tmp_path):
    root = folder(tmp_path, s01=small(), s02=small(seed=1), s03=small())
    for said in people_said(root):
        assert "s03 and s01 hold the same signals: one of them is a copy" in said
        assert "fewer than 40 trials: s01 (3), s02 (3), s03 (3)" in said
    assert "same signals" not in " ".join(deap.read(root, ["s01", "s02"]).decisions)


def test_the_order_of_channels_shows_in_the_alpha_rhythm(tmp_path, cohort):
    deap.write(cohort, tmp_path / "right")
    assert any("alpha is strongest" in line and "NOT" not in line for line in deap.check(tmp_path / "right").found)
    reversed_ = [signal[::-1] for signal in cohort.signals]
    deap.write(Trials(reversed_, cohort.info, cohort.table, None, "reversed"), tmp_path / "wrong")
    found = deap.check(tmp_path / "wrong").found
    assert any("alpha is strongest" in line and "NOT at the back" in line for line in found)
