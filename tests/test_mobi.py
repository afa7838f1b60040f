import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from scipy.signal import butter, sosfiltfilt
from sklearn.linear_model import Ridge

from eegemo_utils.datasets import mobi
from eegemo_utils.datasets.mobi_files import ELECTRODES, FILES, JOINTS, PLUGS
from eegemo_utils.trials import DatasetError

NAMES = "GHR GKR GAR GHL GKL GAL PHR PKR PAR PHL PKL PAL"


def make(root, name="SL01-T01", n_rows=300, plugs=PLUGS, joints=NAMES, rate=100, scale=20.0, degrees=30.0, seed=0):
    """A recording by hand; returns its 64 signals in the file's order, and its 12 joints in the file's."""
    folder = root / name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    eeg = np.round(rng.normal(0, scale, (n_rows, 64)), 1)
    angles = np.round(degrees * np.sin(np.arange(n_rows)[:, None] / 20 + np.arange(12)), 3)
    stamps = [f"{k / rate:.3f}" for k in range(n_rows)]

    def rows(values):
        return [stamp + "\t" + "".join(f"{value:g}\t" for value in row) for stamp, row in zip(stamps, values)]

    texts = {
        "eeg.txt": ["64 channels", *rows(eeg)],
        "joints.txt": [f"6 joints ({joints})", "Joint Factor 1 1 1", *rows(angles)],
        "conductor.txt": ["Conductor log", "Time\tEvent", "0.500\tStart standing", "120.250\tStart walking\t1 mph"],
        "digitizer.bvct": ["<x/>"],
    }
    impedances = [*["preamble"] * 20, "Phys. Chn.\tName\tLabel set\tImpedance [kOhm]"]
    impedances += [f"#{k}\t {plug:<6}\tactiCAP\t{'---' if plug == 'PO9' else k}\t" for k, plug in
                   enumerate([*plugs, "Ref", "Gnd"], start=1)]
    texts |= {"impedances-before.txt": impedances, "impedances-after.txt": impedances}
    for file, lines in texts.items():
        (folder / file).write_bytes("\r\n".join([*lines, ""]).encode())
    return eeg.T, angles.T


def change(root, file, old, new, name="SL01-T01"):
    path = root / name / file
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


# ---- the original layout, made by hand ----

def test_channels_are_where_the_plugs_really_sit(tmp_path):
    root = tmp_path / "Läufe ß 日本"
    eeg, angles = make(root / "RepositoryData")
    trials = mobi.read(root)
    names = trials.info["ch_names"]
    assert len(names) == 76 and len(set(names)) == 76
    kinds = trials.info.get_channel_types()
    assert [kinds.count(kind) for kind in ("eeg", "eog", "misc")] == [60, 4, 12]
    signal = trials.signals[0]
    for name, plug in {"FCz": "T7", "AFz": "T8", "EOG upper": "TP9", "EOG lower": "TP10", "EOG left": "FT9",
                       "EOG right": "FT10", "Cz": "Cz", "PO8": "PO8"}.items():
        np.testing.assert_array_equal(signal[names.index(name)], eeg[PLUGS.index(plug)].astype(np.float32), name)
    assert not {"T7", "T8", "TP9", "TP10", "FT9", "FT10"} & set(names)
    np.testing.assert_array_equal(signal[-12:], angles.astype(np.float32))
    assert names[-12:] == NAMES.split() == list(mobi.MEASURED + mobi.PREDICTED)
    assert trials.table.iloc[0].to_dict() == {
        "subject": "SL01", "session": 1, "trial": 1, "label": "walking", "recording": "SL01-T01", "seconds": 2.99,
        "n_gaps": 0, "clipped": 0.0}
    np.testing.assert_allclose(trials.times[0], np.arange(300) / 100)
    place = trials.info["chs"][names.index("FCz")]["loc"][:3]
    assert abs(place[0]) < 0.005 and place[2] > 0.08  # on top of the head, not at the temple
    assert mobi.read(root / "RepositoryData").fingerprint() == trials.fingerprint()


def test_orders_of_the_files_are_followed(tmp_path):
    plugs = [PLUGS[k] for k in np.random.default_rng(3).permutation(64)]
    joints = NAMES.split()[::-1]
    eeg, angles = make(tmp_path, plugs=plugs, joints=" ".join(joints))
    trials = mobi.read(tmp_path)
    names = trials.info["ch_names"]
    np.testing.assert_array_equal(trials.signals[0][names.index("Oz")], eeg[plugs.index("Oz")].astype(np.float32))
    np.testing.assert_array_equal(trials.signals[0][names.index("GKR")], angles[joints.index("GKR")].astype(np.float32))
    assert any("another order" in line for line in trials.decisions)


def test_events_are_read_as_they_are(tmp_path):
    make(tmp_path)
    make(tmp_path, "SL02-T03")
    events = mobi.read_events(tmp_path)
    assert events.values.tolist()[:2] == [["SL01", 1, 0.5, "Start standing"],
                                          ["SL01", 1, 120.25, "Start walking\t1 mph"]]
    assert mobi.read_events(tmp_path, ["SL02"])["trial"].tolist() == [3, 3]
    change(tmp_path, "conductor.txt", b"0.500\t", b"early\t")
    with pytest.raises(DatasetError, match="conductor.txt: line 3: expected a time"):
        mobi.read_events(tmp_path)


def test_what_is_damaged_or_absent_is_reported_by_recording(tmp_path):
    for name in ("SL01-T01", "SL01-T02", "SL02-T01"):
        make(tmp_path, name)
    (tmp_path / "SL02-T01" / "eeg.txt").write_bytes(b"damaged")
    change(tmp_path, "conductor.txt", b"0.500\t", b"early\t", "SL01-T02")
    assert mobi.read(tmp_path, ["SL01"]).table["trial"].tolist() == [1, 2]
    report = mobi.check(tmp_path)
    assert not report.ok and "no folder SL01-T03, SL02-T02" in report.missing[-1]
    assert "SL01-T02/conductor.txt" in report.missing[0] and "SL02-T01/eeg.txt" in report.missing[1], report.text()


# ---- what is decided ----

def test_what_is_odd_is_said(tmp_path):
    make(tmp_path)
    folder = tmp_path / "SL01-T01"
    (folder / "impedances-after.txt").unlink()
    (folder / "conductor.txt").unlink()
    lines = (folder / "eeg.txt").read_bytes().split(b"\r\n")
    fields = lines[6].split(b"\t")
    fields[1:3] = [b"3276.7", b"-3276.8"]
    lines[6] = b"\t".join(fields)
    del lines[100:110]
    (folder / "eeg.txt").write_bytes(b"\r\n".join(lines))
    lines = (folder / "joints.txt").read_bytes().split(b"\r\n")
    del lines[101:111]
    lines = lines[:2] + [b"\t".join([*line.split(b"\t")[:10], b"0\t0\t0\t"]) for line in lines[2:-1]] + [b""]
    (folder / "joints.txt").write_bytes(b"\r\n".join(lines))
    trials = mobi.read(tmp_path)
    assert trials.decisions[2:] == (
        "SL01-T01: conductor.txt is missing", "SL01-T01: impedances-after.txt is missing",
        "SL01-T01: PHL, PKL, PAL never move", "SL01-T01: 1 steps of more than 15 ms: samples kept as they are",
        "SL01-T01: 0.01% of the EEG at the converter's ends")
    assert trials.table.loc[0, ["n_gaps", "clipped"]].tolist() == [1, 2 / (60 * 290)]
    assert "FCz" in trials.decisions[0] and "degrees" in trials.decisions[1]
    report = mobi.check(tmp_path)
    assert report.ok and "impedance of PO9 not measured" in report.found[1], report.text()


# ---- simulate, write, read ----

def test_written_recordings_come_back_with_their_own_times(tmp_path):
    cohort = mobi.simulate(n_trials=1, n_seconds=10)
    for stamps in cohort.times:
        stamps[500:] += 1.5
    paths = mobi.write(cohort, tmp_path / "new")
    assert sorted(path.relative_to(tmp_path / "new").as_posix() for path in paths) == sorted(
        f"RepositoryData/{name}/{file}" for name in ("SL01-T01", "SL02-T01") for file in FILES)
    again = mobi.read(tmp_path / "new")
    for old, new, stamps, new_stamps in zip(cohort.signals, again.signals, cohort.times, again.times):
        np.testing.assert_allclose(new[:64], old[:64], atol=0.0501)
        np.testing.assert_allclose(new[64:], old[64:], atol=0.001)
        np.testing.assert_array_equal(new_stamps, np.round(stamps, 3))
    assert again.table["n_gaps"].tolist() == [1, 1] and len(mobi.read_events(tmp_path / "new")) == 8


def test_layout_of_what_is_written(tmp_path):
    mobi.write(mobi.simulate(1, n_trials=1, n_seconds=3), tmp_path)
    folder = tmp_path / "RepositoryData" / "SL01-T01"
    for path in folder.glob("*.txt"):
        content = path.read_bytes()
        assert content.count(b"\n") == content.count(b"\r\n") and content.endswith(b"\r\n"), path
    lines = (folder / "eeg.txt").read_bytes().split(b"\r\n")
    assert lines[0] == b"64 channels" and len(lines) == 302 and {line.count(b"\t") for line in lines[1:-1]} == {65}
    assert lines[1].startswith(b"0.000\t") and lines[1].endswith(b"\t")
    lines = (folder / "joints.txt").read_bytes().split(b"\r\n")
    assert NAMES.encode() in lines[0] and lines[1].startswith(b"Joint Factor")
    assert {line.count(b"\t") for line in lines[2:-1]} == {13}
    lines = (folder / "impedances-before.txt").read_bytes().split(b"\r\n")
    assert lines[20].startswith(b"Phys. Chn.\tName") and len(lines[21:-1]) == 66 and lines[21].startswith(b"#1\t Fp1\t")
    assert b"---" in lines[21 + PLUGS.index("PO9")]
    tree = ET.fromstring((folder / "digitizer.bvct").read_text())
    names = [node.text for node in tree.iter("Name")]
    assert names[:3] == ["Nasion", "LPA", "RPA"] and set(names[3:]) == set(PLUGS) - {"TP9", "TP10", "FT9", "FT10"}


def knee_score(trials, names, train, test):
    """Correlation of the right knee with a linear reading of some channels; parts are (trial, slice)."""
    picks = [trials.info["ch_names"].index(name) for name in names]
    slow = butter(2, 3, fs=100, output="sos")
    X, y = {}, {}
    for name, parts in (("train", train), ("test", test)):
        signals = [trials.signals[row][:, part] for row, part in parts]
        X[name] = np.concatenate([sosfiltfilt(slow, signal[picks]) for signal in signals], axis=1).T
        y[name] = np.concatenate([signal[64 + JOINTS.index("GKR")] for signal in signals])
    return np.corrcoef(Ridge(1e3).fit(X["train"], y["train"]).predict(X["test"]), y["test"])[0, 1]


def test_the_knee_can_be_learnt_from_the_vertex_and_cables_mislead():
    cohort = mobi.simulate(2, n_trials=2, n_seconds=40)
    rim, vertex, whole = ("FT7", "FT8", "TP7", "TP8"), ("Cz", "CPz"), slice(None)
    halves = [([(row, slice(0, 2000))], [(row, slice(2000, 4000))]) for row in range(4)]
    people = [([(a, whole), (a + 1, whole)], [(b, whole), (b + 1, whole)]) for a, b in ((0, 2), (2, 0))]
    within = np.mean([knee_score(cohort, rim, *parts) for parts in halves])
    across = np.mean([knee_score(cohort, rim, *parts) for parts in people])
    assert within > 0.6 and across < within - 0.4, (within, across)
    found = np.mean([knee_score(cohort, vertex, *parts) for parts in people])
    none = mobi.simulate(2, n_trials=2, n_seconds=40, effect=0)
    without = np.mean([knee_score(none, vertex, *parts) for parts in people])
    assert found > 0.25 and abs(without) < 0.1, (found, without)


def test_write_refuses_what_it_cannot_write(tmp_path):
    cohort = mobi.simulate(1, n_trials=1, n_seconds=3)
    make(tmp_path / "real")
    with pytest.raises(DatasetError, match="holds other recordings .SL01-T01"):
        mobi.write(cohort, tmp_path / "real")
    for column, value, found in (("trial", 4, "other trials .SL01-T04"), ("session", 2, "other sessions")):
        with pytest.raises(DatasetError, match=f"MoBI has session 1 and trials 1 to 3 .*found {found}"):
            mobi.write(mobi.Trials(cohort.signals, cohort.info, cohort.table.assign(**{column: value})), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert (ELECTRODES.index("FCz"), ELECTRODES.index("AFz")) == (11, 15)


# ---- bad input ----

@pytest.mark.parametrize("file, old, new, message", [
    ("eeg.txt", b"64 channels", b"32 channels", "line 1: expected '64 channels', found '32 channels'"),
    ("eeg.txt", b"\r\n1.000\t", b"\r\n1.000\tx\t", "line 102: expected 65 numbers, found 66 fields"),
    ("eeg.txt", b"\r\n1.000\t", b"\r\n", "line 102: expected 65 numbers, found 64 fields"),
    ("eeg.txt", b"\r\n1.000\t", b"\r\nnan\t", "line 102: expected a number, found 'nan'"),
    ("eeg.txt", b"\r\n1.000\t", b"\r\n\r\n1.000\t", "line 102: expected 65 numbers, found 1 fields"),
    ("eeg.txt", b"\r\n1.000\t", b"\r\n0.010\t", "line 102: expected time stamps that go on"),
    ("joints.txt", b"GKR", b"GKX", "expected the names GHR GKR"),
    ("joints.txt", b"Joint Factor", b"Factor", "'Joint Factor' in line 2"),
    ("joints.txt", b"\r\n1.000\t", b"\r\n1.002\t", "the time stamps of eeg.txt, found other ones.*row 101"),
    ("joints.txt", b"\r\n1.000\t", b"\r\n1.000\tinf\t", "line 103: expected 13 numbers, found 14 fields"),
    ("impedances-before.txt", b" Cz ", b" Fz ", "missing, unknown or twice: Cz"),
    ("impedances-before.txt", b"Phys.", b"Log.", "expected a table"),
    ("impedances-after.txt", b"#1\t Fp1   \tactiCAP\t1\t\r\n#2\t Fp2   \t",
     b"#1\t Fp2   \tactiCAP\t1\t\r\n#2\t Fp1   \t",
     "in the same order"),
])
def test_faulty_files_are_named(tmp_path, file, old, new, message):
    make(tmp_path)
    change(tmp_path, file, old, new)
    with pytest.raises(DatasetError, match=f"{file}: .*{message}"):
        mobi.read(tmp_path)
    report = mobi.check(tmp_path)
    assert not report.ok and file in report.missing[0]


@pytest.mark.parametrize("options, message", [
    ({"rate": 333}, "eeg.txt: expected 100 samples a second, found 333"),
    ({"scale": 4e5}, "eeg.txt: expected microvolt, found a standard deviation of 4"),
    ({"degrees": 0.5}, "joints.txt: expected angles in degrees, found measured ones that reach over"),
    ({"degrees": 30000}, "joints.txt: expected angles in degrees"),
])
def test_wrong_units_and_rates(tmp_path, options, message):
    make(tmp_path, **options)
    with pytest.raises(DatasetError, match=message):
        mobi.read(tmp_path)


def test_volts_are_no_microvolts(tmp_path):
    make(tmp_path)
    path = tmp_path / "SL01-T01" / "eeg.txt"
    rows = np.random.default_rng(0).normal(0, 2e-5, (300, 64))
    lines = ["64 channels", *("\t".join([f"{k / 100:.3f}", *map(str, row), ""]) for k, row in enumerate(rows)), ""]
    path.write_bytes("\r\n".join(lines).encode())
    with pytest.raises(DatasetError, match="eeg.txt: expected microvolt.*looks like volts"):
        mobi.read(tmp_path)


@pytest.mark.parametrize("file, message", [("eeg.txt", "eeg.txt: expected a path that can be read"),
                                           ("joints.txt", "joints.txt: expected a path that can be read"),
                                           ("impedances-*", "impedances-before.txt: no such file")])
def test_missing_files_are_named(tmp_path, file, message):
    make(tmp_path)
    for path in (tmp_path / "SL01-T01").glob(file):
        path.unlink()
    with pytest.raises(DatasetError, match=message):
        mobi.read(tmp_path)


def test_truncated_files_are_named(tmp_path):
    make(tmp_path)
    for file in ("eeg.txt", "joints.txt"):
        path = tmp_path / "SL01-T01" / file
        whole = path.read_bytes()
        for size in (0, 5, len(whole) // 2, len(whole) - 1, len(whole) - 4):
            path.write_bytes(whole[:size])
            with pytest.raises(DatasetError, match=file):
                mobi.read(tmp_path)
        path.write_bytes(whole)
    assert len(mobi.read(tmp_path)) == 1


@pytest.mark.parametrize("file", ["eeg.txt", "joints.txt", "impedances-before.txt", "conductor.txt"])
def test_damaged_files_are_read_or_refused(tmp_path, file):
    make(tmp_path, n_rows=20)
    path = tmp_path / "SL01-T01" / file
    whole = path.read_bytes()
    read = mobi.read_events if file == "conductor.txt" else mobi.read

    @MUTATED
    @given(mutations(whole))
    def run(changed):
        path.write_bytes(changed)
        reads_or_refuses(lambda: read(tmp_path), path)

    run()
    path.write_bytes(whole)
    assert len(read(tmp_path))


# ---- what cannot be true, and what does not belong there ----

def test_copies_flat_channels_and_foreign_files_are_told(tmp_path):
    for name in ("SL01-T01", "SL02-T01", "SL09-T01", "SL01-T04"):
        make(tmp_path, name)
    (tmp_path / "Thumbs.db").touch()
    (tmp_path / "SL02-T01" / "eeg copy.txt").touch()
    (tmp_path / ".hidden").touch()
    expected = ("SL02-T01 and SL01-T01 hold the same signals: one of them is a copy",
                "4 other file(s) ignored: SL01-T04, SL09-T01, Thumbs.db, SL02-T01/eeg copy.txt")
    trials, report = mobi.read(tmp_path), mobi.check(tmp_path)
    assert trials.table["recording"].tolist() == ["SL01-T01", "SL02-T01"]
    for line in expected:
        assert line in trials.decisions and line in report.missing + report.decisions
    assert any("alpha is strongest" in line for line in report.found)


def test_a_recording_without_signal_is_refused(tmp_path):
    make(tmp_path, scale=0)
    with pytest.raises(DatasetError, match="eeg.txt: every channel is flat"):
        mobi.read(tmp_path)
    assert not mobi.check(tmp_path).ok


@pytest.mark.parametrize("content, message", [(b"", "is empty"), (b"<CapTrak><CapTrakEl", "is damaged")])
def test_a_damaged_digitizer_is_told(tmp_path, content, message):
    make(tmp_path)
    (tmp_path / "SL01-T01" / "digitizer.bvct").write_bytes(content)
    for said in (mobi.read(tmp_path).decisions, mobi.check(tmp_path).decisions):
        assert any(line.startswith(f"SL01-T01: digitizer.bvct {message}") for line in said)


def test_messages_about_binary_files_are_short_and_printable(tmp_path):
    make(tmp_path)
    for file in ("eeg.txt", "joints.txt", "conductor.txt", "impedances-before.txt"):
        path = tmp_path / "SL01-T01" / file
        whole = path.read_bytes()
        path.write_bytes(b"\0\x1b\x07" * 5000 + b"\n" * 9 + b"\0" * 99)
        with pytest.raises(DatasetError) as caught:
            (mobi.read_events if file == "conductor.txt" else mobi.read)(tmp_path)
        path.write_bytes(whole)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 600 + len(str(tmp_path))
