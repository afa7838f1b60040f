"""EEGMAT: files in the release's very layout, damaged ones, and the four real people where they are."""

import os
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from scipy.signal import welch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_edf import field, with_limits

from eegemo_utils import datasets, montage
from eegemo_utils.datasets import eegmat
from eegemo_utils.datasets.formats import edf
from eegemo_utils.trials import DatasetError, Trials

LABELS = [f"EEG {name}" for name in "Fp1 Fp2 F3 F4 F7 F8 T3 T4 C3 C4 T5 T6 P3 P4 O1 O2 Fz Cz Pz A2-A1".split()]
TODAY = "Fp1 Fp2 F3 F4 F7 F8 T7 T8 C3 C4 P7 P8 P3 P4 O1 O2 Fz Cz Pz".split()
CSV = "Subject,Age,Gender,Recording year,Number of subtractions,Count quality\n"


@pytest.fixture(scope="module")
def cohort():
    return eegmat.simulate(2, rest_seconds=3, arithmetic_seconds=2, random_state=1)


@pytest.fixture
def real():
    folder = Path(os.environ.get("EEGEMO_DATA", "")) / "eegmat"
    if "EEGEMO_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("EEGEMO_DATA/eegmat is not there")
    return folder


def by_hand(path, labels=LABELS, n_seconds=2, rate=500, unit="uV", scale=1.0, seed=0):
    """An EDF of the release without the writer; returns the digital values of its EEG."""
    labels = [*labels, "ECG ECG", "EDF Annotations"]
    n = len(labels)
    sizes = [rate] * (n - 1) + [57]
    head = [("0", 8), ("0       0 M 01-JAN-1990 Subject0", 80), ("Startdate 01-JAN-2011 0 Doctor NeuroCom", 80),
            ("01.01.1100.00.00", 16), (256 * (n + 1), 8), ("EDF+C", 44), (n_seconds, 8), (1, 8), (n, 4)]
    columns = [(labels, 16), ([""] * n, 80), ([unit] * (n - 2) + ["mV", ""], 8),
               ([f"{-100 * scale:g}"] * (n - 1) + [-1], 8), ([f"{100 * scale:g}"] * (n - 1) + [1], 8),
               ([-32768] * n, 8), ([32767] * n, 8),
               (["HP:0.500000Hz LP:45.000000Hz RF:50Hz"] * (n - 1) + [""], 80), (sizes, 8), ([""] * n, 32)]
    content = b"".join(field(*pair) for pair in head)
    content += b"".join(field(value, width) for values, width in columns for value in values)
    digital = np.random.default_rng(seed).integers(-9000, 9000, (n_seconds, n - 1, rate)).astype("<i2")
    for second, record in enumerate(digital):
        content += record.tobytes() + b"+%d\x14\x14" % second + bytes(110)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return np.concatenate(list(digital), axis=1)


def fault_of(root, name="Subject03_1.edf"):
    """Message of the error; it must name the file, and `check` must give it too."""
    with pytest.raises(DatasetError) as caught:
        eegmat.read(root)
    report = eegmat.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    assert name in str(caught.value)
    return str(caught.value)


# ---- what is written reads back ----

def test_the_layout_is_the_release_s_own(tmp_path, cohort):
    path = eegmat.write(cohort, tmp_path)[0]
    header, content = edf.read_header(path), path.read_bytes()
    assert header.labels == (*LABELS, "ECG ECG", "EDF Annotations")
    assert len(content) == 5888 + 3 * (21000 + 2 * header.n_samples[21])  # the release's are 57 words wide
    assert header.units == ("uV",) * 20 + ("mV", "") and header.n_samples[:21] == (500,) * 21
    assert header.record_seconds == 1 and header.reserved == "EDF+C"
    assert set(header.prefilters[:21]) == {"HP:0.500000Hz LP:45.000000Hz RF:50Hz"}
    record = 21000 + 2 * header.n_samples[21]
    assert content[5888 + 21000:][:5] == b"+0\x14\x14\0" and content[5888 + record + 21000:][:5] == b"+1\x14\x14\0"
    assert content[8:168].split() == b"0 M 01-JAN-1990 Subject00 Startdate 01-JAN-2011 0 Doctor eegemo_utils".split()
    assert content[168:184] == b"01.01.1100.00.00"
    lines = (tmp_path / "subject-info.csv").read_text().splitlines()
    assert lines[0] + "\n" == CSV and lines[1].startswith("Subject00,") and len(lines) == 3
    raw = mne.io.read_raw_edf(path, verbose="error")
    assert raw.ch_names[0] == "EEG Fp1" and raw.info["sfreq"] == 500 and raw.n_times == 1500


def test_facts_counts_and_simulated_defaults():
    assert len(eegmat.SUBJECTS) == 36 and list(eegmat.LABELS.values()) == ["rest", "arithmetic"]
    sizes = [5888 + 21114 * eegmat.seconds_of(s, t) for s in eegmat.SUBJECTS for t in (1, 2)]
    assert sizes[:2] == [3848636, 1314956] and sizes[8] == 3595268 and sizes[20] == 3975320 and sizes[62] == 1695008
    assert round(sum(sizes) / 1e6, 1) == 183.6
    windows = [sum(eegmat.seconds_of(s, t) // 5 for s in part for t in (1, 2)) for part in
               (eegmat.SUBJECTS[:28], eegmat.SUBJECTS[28:32], eegmat.SUBJECTS[32:])]
    assert windows == [1343, 172, 192]  # CBraMod's 5-s windows
    trials = eegmat.simulate()
    assert len(trials) == 8 and [signal.shape for signal in trials.signals[:2]] == [(19, 15000), (19, 5000)]
    np.testing.assert_array_equal(eegmat.simulate(1).signals[1], trials.signals[1])


def test_arithmetic_weakens_simulated_alpha():
    trials = eegmat.simulate(6, rest_seconds=20, arithmetic_seconds=20)
    occipital = [trials.info["ch_names"].index(name) for name in ("O1", "O2")]
    alpha = [welch(signal[occipital], 500, nperseg=1000)[1][:, 16:27].mean() for signal in trials.signals]
    assert np.mean(np.log(np.array(alpha[1::2]) / alpha[0::2])) < -0.3


# ---- files made by hand ----

def test_files_made_by_hand_are_read(tmp_path):
    digital = by_hand(tmp_path / "Subject03_1.edf")
    (tmp_path / "subject-info.csv").write_text("\ufeff" + CSV + "Subject03,17,F,2010,31,1\nSubject04,17,F,2010,8.6,0\n")
    trials = eegmat.read(tmp_path)
    physical = (digital[:19] + 32768.0) * 200 / 65535 - 100
    np.testing.assert_allclose(trials.signals[0], physical, atol=1e-3)
    row = trials.table.iloc[0]
    assert (row["subject"], row["trial"], row["label"], row["n_subtractions"], row["good_count"]) == \
        ("Subject03", 1, "rest", 31.0, 1.0)
    said = "\n".join(trials.decisions)
    assert "EEG A2-A1, ECG ECG" in said and "no recording of Subject03 with label arithmetic" in said
    assert "Subject03_1.edf: 2 s, 182 s in the release" in said


def test_electrodes_are_found_by_name(tmp_path):
    digital = by_hand(tmp_path / "Subject03_1.edf", labels=LABELS[::-1])
    physical = (digital[19:0:-1] + 32768.0) * 200 / 65535 - 100
    np.testing.assert_allclose(eegmat.read(tmp_path).signals[0], physical, atol=1e-3)


def test_people_nobody_describes_are_read_and_told(tmp_path):
    by_hand(tmp_path / "Subject03_1.edf")
    trials = eegmat.read(tmp_path)
    assert trials.table["age"].isna().all() and "no subject-info.csv" in "\n".join(trials.decisions)
    (tmp_path / "subject-info.csv").write_text(CSV + "Subject04,17,F,2010,8.6,0\n")
    assert "does not know Subject03" in "\n".join(eegmat.read(tmp_path).decisions)


def test_only_the_people_asked_for_are_opened(tmp_path):
    by_hand(tmp_path / "Subject03_1.edf")
    for name in ("Subject04_1.edf", "Subject36_1.edf", "other.edf"):
        (tmp_path / name).write_bytes(b"damaged")
    trials = eegmat.read(tmp_path, ["Subject03"])
    assert len(trials) == 1 and "2 other file(s) ignored: Subject36_1.edf, other.edf" in trials.decisions
    with pytest.raises(DatasetError, match="no files of Subject36; there are Subject03, Subject04"):
        eegmat.read(tmp_path, ["Subject36"])


# ---- what is faulty ----

@pytest.mark.parametrize("options, message", [
    ({"rate": 250}, "expected 500 samples a second, found 250"),
    ({"labels": LABELS[1:]}, "missing or more than once: EEG Fp1"),
    ({"labels": [LABELS[0], *LABELS]}, "missing or more than once: EEG Fp1"),
    ({"labels": [label[4:] for label in LABELS]}, "missing or more than once: EEG Fp1, EEG Fp2"),
    ({"unit": "V"}, "expected microvolt"), ({"scale": 1e-5}, "looks like volts"),
    ({"unit": "nV"}, "found the units"), ({"unit": ""}, "found the units"),
])
def test_faulty_files_are_named(tmp_path, options, message):
    by_hand(tmp_path / "Subject03_1.edf", **options)
    assert message in fault_of(tmp_path)


def test_a_signal_without_limits_matters_only_where_it_is_asked_for(tmp_path):
    path = tmp_path / "Subject03_1.edf"
    by_hand(path)
    content = path.read_bytes()
    expected = eegmat.read(tmp_path).signals[0]
    path.write_bytes(with_limits(content, len(LABELS), 0, 0))  # ECG
    np.testing.assert_array_equal(eegmat.read(tmp_path).signals[0], expected)
    assert eegmat.check(tmp_path).ok
    path.write_bytes(with_limits(content, 0, 0, 0))
    assert "signal 'EEG Fp1': the physical limits must differ, found 0 twice" in fault_of(tmp_path)


@pytest.mark.parametrize("content, message", [(b"", "found 0 bytes"), (b"x" * 999, "expected an EDF file")])
def test_files_that_are_none_are_named(tmp_path, content, message):
    (tmp_path / "Subject03_1.edf").write_bytes(content)
    assert message in fault_of(tmp_path)
    by_hand(tmp_path / "Subject03_1.edf")
    os.truncate(tmp_path / "Subject03_1.edf", 20000)
    assert "truncated" in fault_of(tmp_path)


@pytest.mark.parametrize("content, message", [
    (b"", "not a table"), (b"\xff\xfe", "not a table"), (b"a,b\n1,2\n", "expected the columns Subject"),
    (CSV.encode() + b"Subject03,17,F,2010,31,2\n", "Subject03.*expected good_count.*found 2"),
    (CSV.encode() + b"Subject03,old,F,2010,31,1\n", "Subject03.*expected age as a number.*found old"),
    (CSV.encode() + b"Subject03,17,F,2010,inf,1\n", "found inf"),
    (CSV.encode() + b"Subject03,17,F,2010,31,1\n" * 2, "Subject03 stands there twice"),
])
def test_a_faulty_table_of_people_is_named(tmp_path, content, message):
    by_hand(tmp_path / "Subject03_1.edf")
    (tmp_path / "subject-info.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        raise DatasetError(fault_of(tmp_path, "subject-info.csv"))


def test_other_folders_are_refused(tmp_path):
    for message in ("no such folder", "found no EDF file", r"found 1 other EDF files \(rest.edf"):
        with pytest.raises(DatasetError, match=message):
            eegmat.read(tmp_path / "x")
        assert not eegmat.check(tmp_path / "x").ok
        (tmp_path / "x").mkdir(exist_ok=True)
        if "no EDF" in message:
            (tmp_path / "x" / "rest.edf").touch()


def test_checksums_beside_the_files_are_compared(tmp_path, cohort):
    eegmat.write(cohort, tmp_path)
    (tmp_path / "SHA256SUMS.txt").write_text(f"{'0' * 64} Subject00_1.edf\nnonsense\n")
    assert "Subject00_1.edf: 21 signals, 3 s, rest, NOT as in SHA256SUMS.txt" in eegmat.check(tmp_path).text()


# ---- what cannot be written ----

def changed(cohort, **columns):
    return Trials(cohort.signals, cohort.info, cohort.table.assign(**columns))


def test_what_does_not_fit_is_not_written(tmp_path, cohort):
    cut = Trials([signal[:, 7:] for signal in cohort.signals], cohort.info, cohort.table)
    few = Trials([signal[:18] for signal in cohort.signals], montage.make_info(TODAY[:18], 500), cohort.table)
    slow = Trials(cohort.signals, montage.make_info(TODAY, 250), cohort.table)
    wrong = {"whole seconds": cut, "missing: Pz": few, "found 250 Hz": slow,
             "missing: age": changed(cohort, age=np.nan), "other trials, sessions": changed(cohort, label="rest"),
             "found ann, bob": changed(cohort, subject=["ann", "ann", "bob", "bob"])}
    for message, trials in wrong.items():
        with pytest.raises(DatasetError, match=message):
            eegmat.write(trials, tmp_path / "new")
    assert not list(tmp_path.iterdir())
    eegmat.write(cohort, tmp_path)
    with pytest.raises(DatasetError, match="holds other recordings"):
        eegmat.write(cohort.select([0, 1]), tmp_path)
    (tmp_path / "DESCRIPTION.txt").unlink()
    with pytest.raises(DatasetError, match="or replaced"):
        eegmat.write(cohort, tmp_path)


# ---- damage of all kinds ----

def test_damaged_files_are_read_or_refused(tmp_path):
    path = tmp_path / "Subject03_1.edf"
    by_hand(path, n_seconds=1)

    @MUTATED
    @given(mutations(path.read_bytes()))
    def check(damaged):
        path.write_bytes(damaged)
        trials = reads_or_refuses(lambda: eegmat.read(tmp_path), path)
        assert trials is None or trials.signals[0].shape[0] == 19

    check()


def test_damaged_tables_of_people_are_read_or_refused(tmp_path):
    by_hand(tmp_path / "Subject03_1.edf", n_seconds=1)
    path = tmp_path / "subject-info.csv"
    whole = (CSV + "Subject03,17,F,2010,31,1\nSubject04,17,F,2010,8.6,0\n").encode()

    @MUTATED
    @given(mutations(whole))
    def check(damaged):
        path.write_bytes(damaged)
        table = reads_or_refuses(lambda: eegmat.load_info(tmp_path), path)
        assert table is None or list(table.columns) == list(eegmat.COLUMNS.values())

    check()


# ---- the real recordings ----

def test_real_people_are_read(real):
    trials = datasets.load("eegmat", real) if "eegmat" in datasets.MODULES else eegmat.read(real)
    assert list(trials.table["subject"].unique()) == ["Subject00", "Subject01", "Subject06", "Subject08"]
    assert list(trials.table["seconds"]) == [182.0, 62.0] * 4
    assert list(trials.table["good_count"][::2]) == [0, 1, 0, 1]
    first = mne.io.read_raw_edf(real / "Subject01_2.edf", verbose="error")
    np.testing.assert_allclose(trials.signals[3][6], first.get_data(picks="EEG T3")[0] * 1e6, atol=1e-4)
    report = eegmat.check(real)
    assert report.ok and report.text().count(", as in SHA256SUMS.txt") == 8
    ten_hz = [np.median(welch(signal, 500, nperseg=1000)[1][:, 20]) for signal in trials.signals]
    np.testing.assert_allclose(ten_hz, [14.8, 9.1, 3.7, 3.4, 3.1, 1.2, 5.9, 1.7], rtol=0.1)


def band_powers(trials):
    """Log band power of 2-s windows, their labels and people."""
    X, y, people = [], [], []
    for signal, row in zip(trials.signals, trials.table.itertuples()):
        windows = signal[:, : signal.shape[1] // 1000 * 1000].reshape(19, -1, 1000)
        hz, power = welch(windows, 500, nperseg=500)
        bands = [power[..., (hz >= low) & (hz < high)].mean(axis=-1) for low, high in
                 ((1, 4), (4, 8), (8, 13), (13, 30))]
        X.append(np.log(np.concatenate(bands)).T)
        y += [row.label] * len(X[-1])
        people += [row.subject] * len(X[-1])
    return np.concatenate(X), np.array(y), np.array(people)


def test_real_rest_and_arithmetic_score_as_they_should(real):
    """Measured elsewhere, with windows and bands of which not all is known: 0.955; 0.80 0.81 0.83 0.66."""
    X, y, people = band_powers(eegmat.read(real))
    assert X.shape == (488, 76) and round(np.mean(y == "rest"), 3) == 0.746
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    mixed = cross_val_score(model, X, y, cv=KFold(5, shuffle=True, random_state=0)).mean()
    apart = cross_val_score(model, X, y, groups=people, cv=LeaveOneGroupOut())
    assert mixed == pytest.approx(0.955, abs=0.02)
    assert apart == pytest.approx([0.80, 0.81, 0.83, 0.66], abs=0.06)


# ---- what can be read and still cannot be true ----

def test_copies_are_told(tmp_path):
    by_hand(tmp_path / "Subject00_1.edf")
    by_hand(tmp_path / "Subject00_2.edf", seed=1)
    (tmp_path / "Subject01_1.edf").write_bytes((tmp_path / "Subject00_1.edf").read_bytes())
    said = "Subject01_1.edf and Subject00_1.edf hold the same signals: one of them is a copy"
    report = eegmat.check(tmp_path)
    assert said in eegmat.read(tmp_path).decisions and said in report.missing
    assert any("alpha is strongest" in line for line in report.found)


def test_files_without_signal_are_refused(tmp_path):
    flat = np.zeros((22, 1000))
    names = [*LABELS, "ECG ECG"]
    edf.write_edf(tmp_path / "Subject03_1.edf", flat[:21], names, 500)
    assert "every channel is flat" in fault_of(tmp_path)


def test_units_that_cannot_be_are_told(tmp_path):
    by_hand(tmp_path / "Subject03_1.edf", scale=0.001)
    said = "Subject03_1.edf: the EEG has a standard deviation of 0.016 microvolt"
    assert any(said in line for line in eegmat.read(tmp_path).decisions)
    assert any(said in line for line in eegmat.check(tmp_path).decisions)


def test_messages_about_binary_tables_are_short_and_printable(tmp_path):
    by_hand(tmp_path / "Subject03_1.edf")
    for content in (b"\0\x07" * 9999, CSV.encode() + b"Subject03,\0\0,M,2011,5,1\n", CSV.encode() + b'"\0,1,1\n'):
        (tmp_path / "subject-info.csv").write_bytes(content)
        message = fault_of(tmp_path, "subject-info.csv")
        assert message.isprintable() and len(message) < 500 + len(str(tmp_path))
