"""FACED as BIDS: recordings made by hand, byte for byte, and what is written."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from test_edf import with_limits

from eegemo_utils.datasets import faced
from eegemo_utils.datasets.faced_bids import COHORT_1, COHORT_2, EVENT_COLUMNS, IN_VOLT, RATE_250, read_table
from eegemo_utils.datasets.formats import edf
from eegemo_utils.trials import DatasetError

STEM = "sub-{}_task-watchingVideoClips"


def bdf_bytes(numbers, labels, rate, unit="uV", limit=("-375000", "375000"), digital=("-8388608", "8388607")):
    """A BDF of one-second records, by hand; `numbers` are the digital values, (n_signals, n_seconds * rate)."""
    n = len(labels)

    def column(values, width):
        return b"".join(str(value).encode("latin1").ljust(width) for value in values)

    start = (b"\xffBIOSEMI" + column(["X", "X"], 80) + b"01.01.2001.00.00" + column([256 * (n + 1)], 8)
             + column(["24BIT"], 44) + column([numbers.shape[1] // rate, 1], 8) + column([n], 4))
    fields = [(labels, 16), ([""] * n, 80), ([unit] * n, 8), ([limit[0]] * n, 8), ([limit[1]] * n, 8),
              ([digital[0]] * n, 8), ([digital[1]] * n, 8), ([""] * n, 80), ([rate] * n, 8), ([""] * n, 32)]
    blocks = numbers.reshape(n, -1, rate).transpose(1, 0, 2)
    data = b"".join(int(value).to_bytes(3, "little", signed=True) for value in blocks.ravel())
    return start + b"".join(column(values, width) for values, width in fields) + data


def event_lines(n_seconds, order=range(28, 0, -1), clip_seconds=0.6):
    """Clips evenly over the recording, and rows that are no clips."""
    lines = ["\t".join(EVENT_COLUMNS), "\t".join(["0", "0", "Experiment start", "n/a", "0"] + ["n/a"] * 15)]
    step = (n_seconds - clip_seconds) / 27
    for place, clip in enumerate(order):
        label = "\\" if 13 <= clip <= 16 else "Anger"  # wrong on purpose: the reader must not use it
        film = '\u00a0"A film"' if clip == 5 else "A film"
        lines.append("\t".join([f"{place * step:.3f}", f"{clip_seconds}", film, str(clip), "0", label, "neutral",
                                str(clip), *[f"{0.5 * k:g}" for k in range(12)]]))
        lines.append("\t".join([f"{place * step + clip_seconds:.3f}", "0", "201", "201", "0"] + ["n/a"] * 15))
    return lines


def make(root, number="061", labels=COHORT_2, rate=250, n_seconds=2, strict=False, seed=0, **options):
    """A person's folder; returns the microvolt that a right reader finds, (32, samples)."""
    rng = np.random.default_rng(seed)
    numbers = np.rint(rng.normal(0, 400, (len(labels), n_seconds * rate))).astype(int)  # about 18 microvolt
    folder = root / f"sub-{number}" / "eeg"
    folder.mkdir(parents=True)
    stem = STEM.format(number)
    (folder / f"{stem}_eeg.bdf").write_bytes(bdf_bytes(numbers, labels, rate, **options))
    (folder / f"{stem}_eeg.json").write_text(json.dumps({"SamplingFrequency": rate}), encoding="utf-8-sig")
    rows = ["name\ttype\tunits", *(f"{name}\tEEG\tn/a" for name in labels), ""]
    (folder / f"{stem}_channels.tsv").write_text("\n".join(rows), encoding="utf-8-sig")
    (folder / f"{stem}_events.tsv").write_text("\n".join([*event_lines(n_seconds), ""]), encoding="utf-8-sig")
    if not strict:
        (root / "DESCRIPTION.txt").write_text("simulated\n")
    gain = 750000 / (2**24 - 1)
    return numbers * gain - 375000 + 8388608 * gain


def replace(root, number, end, old, new):
    path = root / f"sub-{number}" / "eeg" / f"{STEM.format(number)}_{end}"
    text = path.read_bytes().decode("utf-8")
    assert old in text
    path.write_bytes(text.replace(old, new).encode("utf-8"))
    return path


# ---- BDF ----

def test_spans_of_a_bdf_by_hand_are_read(tmp_path):
    numbers = np.array([[-8388608, -1, 0, 1, 8388607, 256, -257, 65536], [0, 1, 2, 3, 4, 5, 6, 7]])
    path = tmp_path / "tiny.bdf"
    path.write_bytes(bdf_bytes(numbers, ["Fz", "Cz"], 4, limit=("-100", "300")))
    header = edf.read_header(path)
    assert header.labels == ("Fz", "Cz") and header.n_records == 2 and header.sfreq(0) == 4
    values = edf.read_span(path, edf.open_edf(path, ["Cz", "Fz"]), "uV", ["Cz", "Fz"], 0, 8)
    np.testing.assert_allclose(values[1, [0, 4]], [-100, 300])
    np.testing.assert_allclose(values, (numbers[::-1] + 2**23) * 400 / (2**24 - 1) - 100, rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(edf.read_span(path, edf.open_edf(path, ["Fz"]), "uV", ["Fz"], 3, 6), values[1:, 3:6])


def test_a_signal_without_limits_matters_only_where_it_is_asked_for(tmp_path):
    path = tmp_path / "tiny.bdf"
    whole = bdf_bytes(np.arange(16).reshape(2, 8), ["Fz", "Resp"], 4)
    path.write_bytes(whole)
    expected = edf.read_edf(path, ["Fz"])[0]
    path.write_bytes(with_limits(whole, 1, 0, 0))
    np.testing.assert_array_equal(edf.read_edf(path, ["Fz"])[0], expected)
    with pytest.raises(DatasetError, match="signal 'Resp': the physical limits must differ"):
        edf.read_edf(path, ["Fz", "Resp"])


@pytest.mark.parametrize("place, text, message", [
    (0, b"0       ", "2 records of 16000 bytes"),
    (252, b"x   ", "number of signals"), (252, b"0   ", "number of signals"),
    (236, b"-2      ", "number of records"), (244, b"nan     ", "seconds of a record"),
    (236, b"3       ", "truncated"), (256 + 96 * 32 + 8 * 32, b"300     ", "physical limits|must differ|expected"),
])
def test_damaged_headers_are_refused(tmp_path, place, text, message):
    make(tmp_path)
    path = next(tmp_path.rglob("*.bdf"))
    content = bytearray(path.read_bytes())
    content[place: place + len(text)] = text
    path.write_bytes(content)
    if message != "physical limits|must differ|expected":
        with pytest.raises(DatasetError, match=f"_eeg.bdf: .*{message}"):
            edf.read_header(path)
    else:
        edf.read_header(path)


# ---- the original layout, made by hand ----

@pytest.mark.parametrize("number, labels", [("000", COHORT_1), ("122", COHORT_2)])
def test_both_cohorts_are_read_by_name(tmp_path, number, labels):
    root = tmp_path / "Daten ß 日本"
    signals = make(root, number, labels)
    trials = faced.read(root)
    assert trials.info["ch_names"] == list(faced.ELECTRODES)
    assert trials.table["subject"].unique().tolist() == [f"sub{number}"]
    assert trials.table["played"].tolist() == list(range(28, 0, -1))
    assert trials.table["label"].tolist() == clip_emotions()  # not from emotion_label
    assert trials.table.loc[3, ["joy", "liking"]].tolist() == [0, 5.5]
    picks = [labels.index({"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}.get(name, name) if number == "000" else name)
             for name in faced.ELECTRODES]
    start = round(27 * 1.4 / 27 * 250)  # clip 1 was the last one
    np.testing.assert_allclose(trials.signals[0], signals[picks, start: start + 150], atol=0.02)
    assert faced.read(root, form="bids").fingerprint() == trials.fingerprint()


def clip_emotions():
    return [name for name, count in zip(faced.EMOTIONS, (3, 3, 3, 3, 4, 3, 3, 3, 3)) for _ in range(count)]


def test_the_last_thirty_seconds_of_a_clip_are_taken(tmp_path):
    signals = make(tmp_path, n_seconds=34, strict=True)
    path = next(tmp_path.rglob("*_events.tsv"))
    path.write_text("\n".join([*event_lines(34, clip_seconds=32.5), ""]), encoding="utf-8-sig")
    trials = faced.read(tmp_path, subjects=["sub061"])
    assert {signal.shape for signal in trials.signals} == {(30, 7500)}
    start = round((0 + 32.5 - 30) * 250)  # clip 28 was the first one
    np.testing.assert_allclose(trials.signals[27], signals[:30, start: start + 7500], atol=0.02)
    said = [line for line in trials.decisions if "lasted" in line]
    assert len(said) == 25 and "clip 1 lasted 32.5 s, 81.1 s for others" in said[0], said
    path.write_text("\n".join([*event_lines(34, clip_seconds=29), ""]), encoding="utf-8-sig")
    with pytest.raises(DatasetError, match="_eeg.bdf, clip 1: expected 30 s of signal"):
        faced.read(tmp_path)


def test_thousand_hertz_become_250(tmp_path):
    make(tmp_path, rate=1000, n_seconds=4)
    folder = tmp_path / "sub-061" / "eeg"
    seconds = np.arange(4000) / 1000
    wave = 40 * np.sin(2 * np.pi * 10 * seconds) + 30 * np.sin(2 * np.pi * 240 * seconds)  # 240 would look like 10
    numbers = np.tile(np.rint(wave / 0.0447034864), (32, 1)).astype(int)
    (folder / f"{STEM.format('061')}_eeg.bdf").write_bytes(bdf_bytes(numbers, COHORT_2, 1000))
    trials = faced.read(tmp_path)
    assert trials.info["sfreq"] == 250 and trials.signals[0].shape == (30, 150)
    assert any("1000 Hz, resampled to 250 Hz" in line for line in trials.decisions)
    start = 2.0 - 0.6 + 2.0
    expected = 40 * np.sin(2 * np.pi * 10 * (round(start * 1000) / 1000 + np.arange(150) / 250))
    middle = slice(20, 130)
    assert np.abs(trials.signals[0][0] - expected)[middle].max() < 1.5


@pytest.mark.parametrize("unit, limit, said", [
    ("uV", ("-375000", "375000"), ""),
    ("V", ("-0.375", "0.375"), ""),
    ("mV", ("-375", "375"), ""),
    ("uV", ("-0.375", "0.375"), "the header says 'uV'.* are volt"),
    ("V", ("-375000", "375000"), "the header says 'V'.* are microvolt"),
    ("", ("-0.375", "0.375"), "the header says 'no unit'.* are volt"),
    ("n/a", ("-375000", "375000"), "no known unit.*microvolt"),
])
def test_units_are_rescued_by_amplitude(tmp_path, unit, limit, said):
    signals = make(tmp_path, unit=unit, limit=limit)
    trials = faced.read(tmp_path)
    np.testing.assert_allclose(trials.signals[27], signals[:30, :150], atol=0.02)
    lines = [line for line in trials.decisions if "header" in line]
    assert len(lines) == bool(said), lines
    assert not said or re.search(said, lines[0])


def test_an_open_number_of_records_is_counted(tmp_path):
    make(tmp_path)
    whole = faced.read(tmp_path).fingerprint()
    path = next(tmp_path.rglob("*.bdf"))
    content = path.read_bytes()
    path.write_bytes(content[:236] + b"-1      " + content[244:])
    assert faced.read(tmp_path).fingerprint() == whole
    path.write_bytes(content[:236] + b"-1      " + content[244:-1])
    with pytest.raises(DatasetError, match="truncated|expected .* bytes"):
        faced.read(tmp_path)


def test_ratings_that_are_not_given_are_not_known(tmp_path):
    make(tmp_path)
    replace(tmp_path, "061", "events.tsv", "\t1\t0\t0.5\t", "\t1\tn/a\t0.5\t")
    table = faced.read(tmp_path).table
    assert np.isnan(table["joy"][0]) and table["joy"].notna().sum() == 27 and table["tenderness"].notna().all()


def test_large_offsets_are_no_other_unit(tmp_path):
    make(tmp_path)
    numbers = np.rint(np.random.default_rng(0).normal(2e6, 400, (32, 500))).astype(int)  # 89 millivolt
    path = next(tmp_path.rglob("*.bdf"))
    path.write_bytes(bdf_bytes(numbers, COHORT_2, 250))
    trials = faced.read(tmp_path)
    assert trials.signals[0].mean() == pytest.approx(89407, rel=1e-3) and 10 < trials.signals[0].std(axis=1).mean() < 30


def test_names_of_a_header_without_electrodes_come_from_the_table(tmp_path):
    signals = make(tmp_path)
    path = next(tmp_path.rglob("*.bdf"))
    content = path.read_bytes()
    names = b"".join(f"Ch{k}".encode().ljust(16) for k in range(32))
    path.write_bytes(content[:256] + names + content[256 + 512:])
    trials = faced.read(tmp_path)
    np.testing.assert_allclose(trials.signals[27], signals[:30, :150], atol=0.02)
    assert any("channels.tsv taken" in line for line in trials.decisions)
    replace(tmp_path, "061", "channels.tsv", "Oz\tEEG\tn/a\n", "")
    with pytest.raises(DatasetError, match="channels.tsv: expected a row for each of the 32"):
        faced.read(tmp_path)


# ---- bad input ----

@pytest.mark.parametrize("end, old, new, message", [
    ("events.tsv", "\tneutral\t7\t", "\tneutral\tn/a\t", "each clip from 1 to 28 once"),
    ("events.tsv", "\tneutral\t7\t", "\tneutral\t8\t", "each clip from 1 to 28 once"),
    ("events.tsv", "\tneutral\t7\t", "\tneutral\t29\t", "video_index: expected a number from 1 to 28, found '29'"),
    ("events.tsv", "video_index", "index", "missing: video_index"),
    ("events.tsv", "\t0.6\t", "\tlong\t", "duration: expected a number"),
    ("events.tsv", "\t5.5\n", "\t9\n", "Liking: expected a number from 0 to 7, found '9'"),
    ("events.tsv", "1.400\t0.6", "1.600\t0.6", "clip 1: expected 30 s of signal, up to 2.2 s"),
    ("eeg.json", "250", "500", "the same in header and .*found 250 and 500"),
    ("eeg.json", "Sampling", "Samplin", "expected a SamplingFrequency"),
])
def test_wrong_tables_are_refused(tmp_path, end, old, new, message):
    make(tmp_path)
    replace(tmp_path, "061", end, old, new)
    with pytest.raises(DatasetError, match=f"sub-061_task.*{message}"):
        faced.read(tmp_path)
    assert not faced.check(tmp_path).ok


@pytest.mark.parametrize("labels, message", [
    (("Fp2", *COHORT_2[1:]), "missing or twice: Fp1, Fp2"),
    (COHORT_2[:29], "missing or twice: O2"),
    (tuple(f"MCG{k}" for k in range(32)), "missing or twice: Fp1"),
])
def test_missing_and_doubled_electrodes(tmp_path, labels, message):
    make(tmp_path, labels=labels)
    with pytest.raises(DatasetError, match=f"_eeg.bdf: .*{message}"):
        faced.read(tmp_path)


def test_permuted_channels_are_put_in_order(tmp_path):
    signals = make(tmp_path, labels=COHORT_2[::-1])
    np.testing.assert_allclose(faced.read(tmp_path).signals[27], signals[::-1][:30, :150], atol=0.02)


@pytest.mark.parametrize("rate", [200, 128])
def test_other_rates_are_refused(tmp_path, rate):
    make(tmp_path, rate=rate)
    with pytest.raises(DatasetError, match=f"expected 250 samples a second.*found {rate}"):
        faced.read(tmp_path)


@pytest.mark.parametrize("end", ["events.tsv", "eeg.bdf"])
def test_missing_files_are_named(tmp_path, end):
    make(tmp_path)
    next(tmp_path.rglob(f"*_{end}")).unlink()
    with pytest.raises(DatasetError, match=f"_{end}: "):
        faced.read(tmp_path)
    assert any(end in line for line in faced.check(tmp_path).missing)


def test_flat_recordings_are_no_unit_to_guess(tmp_path):
    make(tmp_path)
    path = next(tmp_path.rglob("*.bdf"))
    path.write_bytes(bdf_bytes(np.zeros((32, 500), int), COHORT_2, 250))
    with pytest.raises(DatasetError, match="every channel is flat"):
        faced.read(tmp_path)


# ---- simulate, write, read ----

def test_written_people_come_back(tmp_path):
    cohort = faced.simulate(2, n_seconds=2.0)
    faced.write(cohort, tmp_path, form="bids")
    again = faced.read(tmp_path)
    assert again.table.equals(cohort.table) and again.description == "simulated FACED cohort"
    for row in range(56):
        error = np.abs(again.signals[row] - cohort.signals[row])
        assert error[:, 25:-25].max() < 0.7 if row >= 28 else error.max() < 0.03  # 1000 Hz and back: a filter's ends
    folder = tmp_path / "sub-008" / "eeg"
    sizes = {number: (tmp_path / f"sub-{number}/eeg/{STEM.format(number)}_eeg.bdf").stat().st_size
             for number in ("008", "061")}
    seconds = 28 * 3 + 1
    assert sizes == {"008": 8448 + 32 * 3 * 250 * seconds, "061": 8448 + 32 * 3 * 1000 * seconds}
    assert sorted(path.name for path in tmp_path.rglob("sub-008*.*")) == sorted(
        ["sub-008_scans.tsv", *(f"{STEM.format('008')}_{end}" for end in (
            "channels.tsv", "eeg.bdf", "eeg.json", "events.json", "events.tsv"))])
    for path in tmp_path.rglob("*.tsv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf"), path
    events = read_table(folder / f"{STEM.format('008')}_events.tsv")
    assert tuple(events) == EVENT_COLUMNS
    clips = events[events["video_index"] != "n/a"]
    assert "\u00a0The Pursuit of Happiness" in set(clips["trial_type"])
    assert len(clips) == 28 and set(clips["emotion_label"][clips["binary_label"] == "neutral"]) == {"\\"}
    channels = read_table(folder / f"{STEM.format('008')}_channels.tsv")
    assert tuple(channels["name"]) == COHORT_1
    assert set(channels["units"]) == {"n/a"} and set(channels["type"]) == {"EEG"}
    report = faced.check(tmp_path)
    assert report.ok and "bids: 2 recordings of 2 people, 0 of them faulty" in report.found, report.text()
    with pytest.raises(DatasetError, match="holds other recordings"):
        faced.write(faced.simulate(1, n_seconds=1), tmp_path, form="bids")


def test_rates_and_units_of_the_published_side_cars():
    assert len(RATE_250) == 55 and 123 - len(RATE_250) == 68 and len(IN_VOLT) == 33
    assert len(set(COHORT_1)) == len(set(COHORT_2)) == 32
    assert COHORT_1[16:18] == ("A1", "A2") and COHORT_2[30:] == ("HEOR", "HEOL")


# ---- damaged files ----

def damaged(root, path):
    whole = path.read_bytes()

    @MUTATED
    @given(mutations(whole))
    def run(changed):
        path.write_bytes(changed)
        reads_or_refuses(lambda: faced.read(root), path)

    run()
    path.write_bytes(whole)
    assert len(faced.read(root)) == 28


def test_damaged_files_are_read_or_refused(tmp_path):
    make(tmp_path)
    recording = next(tmp_path.rglob("*.bdf"))
    for end in ("eeg.bdf", "events.tsv", "eeg.json"):
        damaged(tmp_path, next(tmp_path.rglob(f"*_{end}")))
    content = recording.read_bytes()
    names = b"".join(f"Ch{k}".encode().ljust(16) for k in range(32))
    recording.write_bytes(content[:256] + names + content[256 + 512:])  # so that this table counts
    damaged(tmp_path, next(tmp_path.rglob("*_channels.tsv")))
