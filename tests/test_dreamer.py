"""DREAMER: what is written is the file's own struct, a struct made by hand is read, faulty ones are named."""

import io
import tracemalloc

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.datasets import dreamer
from eegemo_utils.trials import DatasetError, Trials

CHANNELS = "AF3 F7 F3 FC5 T7 P7 O1 O2 P8 T8 FC6 F4 F8 AF4".split()
RATINGS = ["valence", "arousal", "dominance"]


@pytest.fixture(scope="module")
def cohort():
    return dreamer.simulate(2, n_clips=3, n_seconds=2, baseline_seconds=1.5, random_state=1)


def cell(items, row=False):
    out = np.empty((1, len(items)) if row else (len(items), 1), object)
    for k, item in enumerate(items):
        out[(0, k) if row else (k, 0)] = item
    return out


def person(seed=0, n_clips=2, n_baseline=100, seconds=None):
    """One person's struct, made by hand: EEG around an offset of thousands of microvolt."""
    rng = np.random.default_rng(seed)
    lengths = seconds or [200 + 10 * clip for clip in range(n_clips)]
    eeg = {"baseline": cell([rng.normal(4200, 20, (n_baseline, 14)) for _ in lengths]),
           "stimuli": cell([rng.normal(4200, 20, (n, 14)) for n in lengths])}
    ecg = {"baseline": cell([np.ones((200, 2))] * n_clips), "stimuli": cell([np.ones((300, 2))] * n_clips)}
    scores = {f"Score{name}": rng.integers(1, 6, (n_clips, 1)).astype(float)
              for name in ("Valence", "Arousal", "Dominance")}
    return {"Age": "22", "Gender": "male", "EEG": eeg, "ECG": ecg, **scores}


def content(people, compressed=False, **changes):
    struct = {"Data": cell(people, row=True), "EEG_SamplingRate": 128, "ECG_SamplingRate": 256,
              "EEG_Electrodes": cell(CHANNELS, row=True), "noOfSubjects": 23, "noOfVideoSequences": 18,
              "Disclaimer": "text", "Provider": "text", "Version": "1.0.2", "Acknowledgement": "text"} | changes
    file = io.BytesIO()
    scipy.io.savemat(file, {"DREAMER": {name: value for name, value in struct.items() if value is not None}},
                     do_compression=compressed)
    return file.getvalue()


def folder(path, data, written=True):
    """A folder with DREAMER.mat, which says (or not) that it was written, so that the file may be small."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "DREAMER.mat").write_bytes(data)
    if written:
        (path / "DESCRIPTION.txt").write_text("simulated DREAMER cohort\n")
    return path


def fault_of(root):
    """Message of the error; it must name the file, and `check` must give it too."""
    with pytest.raises(DatasetError) as caught:
        dreamer.read(root)
    report = dreamer.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    assert "DREAMER.mat" in str(caught.value)
    return str(caught.value)


# ---- what is written reads back ----

def test_the_layout_is_the_file_s_own(tmp_path, cohort):
    root = scipy.io.loadmat(dreamer.write(cohort, tmp_path)[0])["DREAMER"][0, 0]  # paths as torcheeg reads them
    assert root.dtype.names == ("Data", "EEG_SamplingRate", "ECG_SamplingRate", "EEG_Electrodes", "noOfSubjects",
                                "noOfVideoSequences", "Disclaimer", "Provider", "Version", "Acknowledgement")
    assert root["Data"].shape == (1, 2) and root["EEG_SamplingRate"].item() == 128
    assert [name.item() for name in root["EEG_Electrodes"][0]] == CHANNELS
    data = root["Data"][0, 1]
    assert data["EEG"][0, 0]["stimuli"][0, 0].shape == (3, 1) == data["ECG"][0, 0]["baseline"][0, 0].shape
    clip = data["EEG"][0, 0]["stimuli"][0, 0][2, 0]
    assert clip.dtype == np.float64 and clip.shape[1] == 14
    assert data["EEG"][0, 0]["baseline"][0, 0][2, 0].shape == (192, 14)
    assert data["ECG"][0, 0]["stimuli"][0, 0][2, 0].shape == (2 * len(clip), 2)
    np.testing.assert_array_equal(clip[:, 6].astype("f4"), cohort.signals[5][6, 192:])
    assert data["ScoreValence"][0, 0].shape == (3, 1)
    assert data["ScoreDominance"][0, 0][2, 0] == cohort.table["dominance"][5]
    assert data["Age"][0, 0][0].isdigit() and data["Gender"][0, 0][0] in ("male", "female")


def test_facts_and_simulated_defaults():
    assert list(dreamer.ELECTRODES) == CHANNELS
    trials = dreamer.simulate(n_seconds=1)
    assert len(trials) == 36 and set(trials.table["baseline_seconds"]) == {61.0}
    assert trials.signals[0].shape[1] == round((61 + trials.table["seconds"][0]) * 128)
    assert trials.table.groupby("trial")["seconds"].nunique().eq(1).all() and trials.table["seconds"].nunique() > 9
    assert set(np.unique(trials.table[RATINGS])) <= {1, 2, 3, 4, 5}
    assert trials.table.groupby("subject")["label"].nunique().eq(2).all()
    again = dreamer.simulate(1, n_clips=2, n_seconds=1)
    np.testing.assert_array_equal(again.signals[1], trials.signals[1])


# ---- files made by hand ----

@pytest.mark.parametrize("compressed", [False, True])
def test_a_struct_made_by_hand_is_read(tmp_path, compressed):
    people = [person(0), person(1)]
    people[1]["ScoreArousal"][:] = [[3.0], [4.0]]
    trials = dreamer.read(folder(tmp_path, content(people, compressed)), target="arousal")
    assert len(trials) == 4
    for row, signal in enumerate(trials.signals):
        eeg = people[row // 2]["EEG"]
        both = np.concatenate([eeg["baseline"][row % 2, 0], eeg["stimuli"][row % 2, 0]])
        np.testing.assert_array_equal(signal, both.T.astype("f4"))
    assert list(trials.table["label"][2:]) == ["low", "high"]  # strictly above 3
    assert list(trials.table.columns) == ["subject", "session", "trial", "label", *RATINGS, "age", "gender", "seconds",
                                          "baseline_seconds"]
    assert list(trials.table["seconds"][:2]) == [200 / 128, 210 / 128]
    assert set(trials.table["baseline_seconds"]) == {100 / 128} and set(trials.table["gender"]) == {"male"}
    assert "ECG ignored" in trials.decisions[0] and "exactly 3 are low" in trials.decisions[1]


def test_the_original_has_61_s_and_18_clips(tmp_path):
    whole = person(n_clips=18, n_baseline=7808)
    trials = dreamer.read(folder(tmp_path, content([whole]), written=False))
    assert len(trials) == 18 and set(trials.table["baseline_seconds"]) == {61.0}
    assert any("no recording of s02, s03" in line for line in dreamer.check(tmp_path).missing)
    short = person(n_clips=18, n_baseline=7807)
    assert "person 1, clip 1: expected a baseline of 7808" in fault_of(folder(tmp_path, content([short]), False))
    few = person(n_clips=17, n_baseline=7808)
    assert "18 clips each in EEG.stimuli, found 17" in fault_of(folder(tmp_path, content([few]), False))


@pytest.mark.parametrize("compressed", [False, True])
def test_one_person_costs_one_person_s_memory(tmp_path, compressed):
    people = [person(k, n_clips=3, seconds=[4000] * 3) for k in range(8)]
    root = folder(tmp_path, content(people, compressed))
    size = 3 * (4000 + 100) * 14 * 8
    peaks = []
    for subjects in (["s03"], None):
        tracemalloc.start()
        trials = dreamer.read(root, subjects)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert len(trials) == 24
    chunks = 4e6 * compressed  # of a megabyte each, however large the file
    assert peaks[0] < 2.5 * size + chunks and peaks[1] < 8 * size / 2 + 2.5 * size + chunks


def test_people_are_chosen_by_name(tmp_path):
    root = folder(tmp_path, content([person(0), person(1), person(2)]))
    trials = dreamer.read(root, ["s02"])
    assert set(trials.table["subject"]) == {"s02"}
    np.testing.assert_array_equal(trials.signals[0][:, 0], person(1)["EEG"]["baseline"][0, 0][0].astype("f4"))
    for subjects in (["s04"], ["s24"], ["ann"], []):
        with pytest.raises(DatasetError, match="(no files of .*; there are|subjects is an empty list.*:) s01, s02"):
            dreamer.read(root, subjects)
    with pytest.raises(DatasetError, match="no target is called 'liking'"):
        dreamer.read(root, target="liking")


def test_electrodes_are_taken_by_name(tmp_path):
    expected = dreamer.read(folder(tmp_path / "a", content([person()]))).signals[0]
    mixed = person()
    for part in mixed["EEG"].values():
        for clip in range(2):
            part[clip, 0] = part[clip, 0][:, ::-1]
    root = folder(tmp_path / "b", content([mixed], EEG_Electrodes=cell(CHANNELS[::-1], row=True)))
    back = dreamer.read(root)
    np.testing.assert_array_equal(back.signals[0], expected)
    assert any("another order" in line for line in back.decisions)
    unnamed = dreamer.read(folder(tmp_path / "c", content([person()], EEG_Electrodes=None)))
    np.testing.assert_array_equal(unnamed.signals[0], expected)
    assert any("does not name its electrodes" in line for line in unnamed.decisions)


# ---- what is faulty ----

def without(*names):
    made = person()
    for name in names:
        del made[name]
    return made


def with_eeg(change, part="stimuli", clip=1):
    made = person()
    made["EEG"][part][clip, 0] = change(made["EEG"][part][clip, 0])
    return made


def with_nan(piece):
    piece[7, 4] = np.nan
    return piece


def with_score(value):
    made = person()
    made["ScoreValence"][1] = value
    return made


@pytest.mark.parametrize("data, message", [
    (b"", "found 0 bytes"), (content([person()])[:-100], "damaged or cut off"),
    (content([person()], compressed=True)[:-100], "damaged or cut off"),
    (content([person()], EEG_SamplingRate=256), "expected an EEG_SamplingRate of 128, found 256"),
    (content([person()], EEG_Electrodes=cell(CHANNELS[:13], row=True)), "expected the electrodes AF3, F7"),
    (content([person()], EEG_Electrodes=cell([*CHANNELS[:13], "AF3"], row=True)), "each once"),
    (content([person()], Data=None), "cell Data with 23 people"), (content([]), "cell Data with 23 people"),
    (content([without("EEG")]), "person 1: expected 23 people with 18 clips each"),
    (content([person(), without("ScoreArousal")]), "person 2: expected 2 ratings in ScoreArousal, found none"),
    (content([with_eeg(lambda piece: piece.T)]), r"clip 2: expected EEG.stimuli of shape \(samples, 14\), found"),
    (content([with_eeg(lambda piece: piece[:0], "baseline")]), r"EEG.baseline of shape .*found shape \(0, 14\)"),
    (content([with_eeg(lambda piece: "text")]), "EEG.stimuli of shape"),
    (content([with_eeg(with_nan)]), "person 1, trial 2: values of T7 are not finite"),
    (content([with_eeg(lambda piece: piece * 1e6)]), "expected microvolt"),
    (content([with_score(6)]), "person 1, clip 2: expected a rating of valence from 1 to 5, found 6"),
    (content([with_score(np.nan)]), "found nan"), (content([with_score(0)]), "found 0"),
    (content([person()]).replace(b"DREAMER", b"GREAMER"), "expected the variable DREAMER; found GREAMER"),
])
def test_faulty_files_are_named(tmp_path, data, message):
    root = folder(tmp_path, data)
    with pytest.raises(DatasetError, match=message):
        raise DatasetError(fault_of(root))


def test_volts_are_refused(tmp_path):
    made = person()
    for part in made["EEG"].values():
        part[0, 0] = part[0, 0] * 1e-6
    assert "looks like volts" in fault_of(folder(tmp_path, content([made])))


def test_other_folders_are_refused_and_other_files_told(tmp_path):
    for message in ("no such folder", "expected DREAMER.mat, found ", "expected DREAMER.mat, found s01.mat"):
        with pytest.raises(DatasetError, match=message):
            dreamer.read(tmp_path / "x")
        assert not dreamer.check(tmp_path / "x").ok
        (tmp_path / "x").mkdir(exist_ok=True)
        if "found " in message:
            (tmp_path / "x" / "s01.mat").touch()
    assert "1 other file(s) ignored: s01.mat" in dreamer.read(folder(tmp_path / "x", content([person()]))).decisions


# ---- what cannot be written ----

def changed(cohort, **columns):
    return Trials(cohort.signals, cohort.info, cohort.table.assign(**columns))


def test_what_does_not_fit_is_not_written(tmp_path, cohort):
    wrong = {"go from 1 to 5": changed(cohort, arousal=5.5),
             "found s02": cohort.select(cohort.table["subject"] == "s02"), "clips 1, 2": cohort.select([0, 1, 2, 3]),
             "check baseline_seconds": changed(cohort, baseline_seconds=99.0)}
    for message, trials in wrong.items():
        with pytest.raises(DatasetError, match=message):
            dreamer.write(trials, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_original_is_never_replaced(tmp_path, cohort):
    root = folder(tmp_path, content([person()]), written=False)
    with pytest.raises(DatasetError, match="holds other recordings"):
        dreamer.write(cohort, root)
    dreamer.write(cohort, tmp_path / "new")
    dreamer.write(cohort.select(cohort.table["subject"] == "s01"), tmp_path / "new")
    assert set(dreamer.read(tmp_path / "new").table["subject"]) == {"s01"}


# ---- damage of all kinds ----

@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_are_read_or_refused(tmp_path, compressed):
    small = person(seconds=[30, 20], n_baseline=10)
    path = folder(tmp_path, content([small], compressed)) / "DREAMER.mat"

    @MUTATED
    @given(mutations(path.read_bytes()))
    def check(damaged):
        path.write_bytes(damaged)
        trials = reads_or_refuses(lambda: dreamer.read(tmp_path), path)
        assert trials is None or trials.signals[0].shape[0] == 14
        assert dreamer.check(tmp_path).ok == (trials is not None)

    check()


# ---- what can be read and still cannot be true ----

def test_people_who_are_not_there_are_answered_with_those_who_are(tmp_path):
    root = folder(tmp_path, content([person(), person(1)]))
    for asked in (["nobody"], "s03", ["s01", "s23"]):
        with pytest.raises(DatasetError, match="there are s01, s02[.]$"):
            dreamer.read(root, asked)


def test_flat_channels_and_copies_are_told_by_name(tmp_path):
    people = [person(), person(1), person()]
    for piece in people[1]["EEG"]["stimuli"], people[1]["EEG"]["baseline"]:
        for clip in piece.ravel():
            clip[:, 0] = 4200.0
    root = folder(tmp_path, content(people, EEG_Electrodes=cell(CHANNELS[::-1], row=True)))
    report = dreamer.check(root)
    for said in (dreamer.read(root).decisions, report.decisions + report.missing):
        assert f"s02: flat, without any signal: {CHANNELS[-1]} (2 of 2 trials)" in said
        assert "s03 and s01 hold the same signals: one of them is a copy" in said
    assert any("alpha is strongest" in line for line in report.found)
