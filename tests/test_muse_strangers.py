"""What people bring who do not know the layout: dead bands, other clocks, other exports, other names."""

import numpy as np
import pytest
from muse_recordings import HEADER, fault_of, lines_of, save

from eegemo_utils import datasets
from eegemo_utils.datasets import muse
from eegemo_utils.trials import DatasetError


def with_values(lines, change, columns=range(1, 6)):
    """Lines with the fields of some columns replaced by change(text)."""
    rows = [line.split(",") for line in lines]
    return [",".join(change(text) if k in columns else text for k, text in enumerate(row)) for row in rows]


def with_stamps(lines, stamps):
    return [f"{stamp:.3f},{line.split(',', 1)[1]}" for stamp, line in zip(stamps, lines)]


# ---- electrodes ----

def test_four_constant_electrodes_are_a_fault_and_not_a_copy(tmp_path):
    for name in ("ann-calm-1", "bob-tense-1"):
        path = save(tmp_path / f"{name}.csv", with_values(lines_of(seed=len(name)), lambda text: "0.000"))
    assert "all four electrodes are constant (0, 0, 0, 0)" in fault_of(tmp_path / "ann-calm-1.csv")
    report = muse.check(tmp_path)
    assert any(str(path) in line for line in report.missing) and "copy" not in report.text()


def test_a_constant_electrode_is_said(tmp_path):
    save(tmp_path / "ann-calm-1.csv", with_values(lines_of(), lambda text: "-12.500", columns=[2]))
    trials = muse.read(tmp_path)
    assert trials.decisions == ("ann-calm-1: AF7 is constant: a dead electrode, kept",)
    save(tmp_path / "ann-calm-1.csv", with_values(lines_of(), lambda text: "0", columns=[1, 4]))
    assert "TP9, TP10 are constant: dead electrodes" in muse.check(tmp_path).decisions[0]


def test_recordings_of_one_live_electrode_or_mostly_off_are_no_copies(tmp_path):
    levels = np.random.default_rng(0).integers(-5, 6, (2, 900)) * 0.488
    for seed, name in enumerate(("ann-calm-1", "bob-calm-1")):
        lines = lines_of(900, seed)
        one = [f"{line.split(',')[0]},{value:.3f},0,0,0,0" for line, value in zip(lines, levels[seed])]
        save(tmp_path / "one" / f"{name}.csv", one)
        save(tmp_path / "off" / f"{name}.csv", lines[:30] + with_values(lines[30:], lambda text: "-1000.000"))
    assert len(muse.read(tmp_path / "one")) == len(muse.read(tmp_path / "off")) == 2


@pytest.mark.parametrize("value", ["1e300", "-2e6", "1e38"])
def test_a_value_that_no_electrode_gives_is_named(tmp_path, value):
    lines = lines_of()
    lines[10:11] = with_values(lines[10:11], lambda text: value, columns=[3])
    message = fault_of(save(tmp_path / "ann-calm-1.csv", lines))
    assert f"line 12, column AF8: expected microvolt, at most 1e+06 in size, found '{value}'" in message
    assert "Repair or take out that line" in message


def test_a_time_of_no_calendar_is_named(tmp_path):
    lines = lines_of()
    lines[10] = "1e300," + lines[10].split(",", 1)[1]
    assert "line 12, column timestamps: expected seconds" in fault_of(save(tmp_path / "ann-calm-1.csv", lines))


# ---- time ----

@pytest.mark.parametrize("factor, unit", [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")])
@pytest.mark.parametrize("start", [0.0, 1.5e9])
def test_other_units_of_time_are_recognised(tmp_path, factor, unit, start):
    stamps = (start + np.arange(600) / 256) * factor
    message = fault_of(save(tmp_path / "ann-calm-1.csv", with_stamps(lines_of(), stamps)))
    assert f"these look like {unit}. Divide the time stamps by {factor:.0f}." in message


@pytest.mark.parametrize("stamps, message", [
    (1.5e9 - np.arange(600) / 256, "time runs backwards (599 of 599 steps). Sort the lines"),
    (1.5e9 - np.arange(600) // 12 * 12 / 256, "time runs backwards (49 of 599 steps)"),
    (np.full(600, 1.5e9), "found the same one in all 600 lines (1500000000.000)"),
    (1.5e9 + np.arange(600), "600 samples in 600 parts, the longest of 0.00 s. The middle step is 1 s"),
    (1.5e9 + np.arange(600) // 256, "found 600 samples in 3 parts"),
])
def test_time_that_is_no_time_is_a_fault(tmp_path, stamps, message):
    save(tmp_path / "ann-calm-2.csv", lines_of(seed=1))
    assert message in fault_of(save(tmp_path / "ann-calm-1.csv", with_stamps(lines_of(), stamps)))


@pytest.mark.parametrize("rate, said", [(250, True), (254, True), (256.05, False)])
def test_another_rate_is_said(tmp_path, rate, said):
    stamps = 1.5e9 + np.arange(2000) / rate
    save(tmp_path / "ann-calm-1.csv", with_stamps(lines_of(2000), stamps))
    decisions = muse.check(tmp_path).decisions
    assert decisions == list(muse.read(tmp_path).decisions) and len(decisions) == said
    if said:
        assert f"found {rate:.1f} samples a second instead of 256" in decisions[0]
        assert "cut by time stamps" in decisions[0]


# ---- names ----

def test_capital_suffixes_are_read(tmp_path):
    save(tmp_path / "SubjectA-Positive-1.CSV", lines_of(seed=1))
    save(tmp_path / "visual__P300__subject1__session2__data_2017-02-09-17.26.47.CSV", lines_of(seed=2))
    table = muse.read(tmp_path).table
    assert table[["subject", "label", "recording"]].iloc[0].tolist() == [
        "SubjectA", "Positive", "SubjectA-Positive-1"]
    assert len(table) == 2
    with pytest.raises(DatasetError, match=r"holds other recordings \(SubjectA-Positive-1.CSV"):
        muse.write(muse.read(tmp_path, subjects=["SubjectA"]), tmp_path)


def test_two_files_of_one_name_are_a_fault(tmp_path):
    first, second = tmp_path / "ann-calm-1.csv", tmp_path / "ann-calm-1.CSV"
    save(first, lines_of(seed=1))
    save(second, lines_of(seed=2))
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk knows no capitals")
    assert "expected one file named ann-calm-1, found 2" in fault_of(first, second)


@pytest.mark.parametrize("keep", [600, 400])
@pytest.mark.parametrize("names", [("ann-calm-1", "ann-tense-1"), ("ann-tense-2", "ann-calm-1"),
                                   ("ann-calm-1", "bob-tense-1")])
def test_the_same_samples_under_two_labels_are_a_fault(tmp_path, names, keep):
    first = save(tmp_path / f"{names[0]}.csv", lines_of())
    second = save(tmp_path / f"{names[1]}.csv", lines_of()[:keep])
    message = fault_of(first, second)
    assert "calm" in message and "tense" in message and "take the other file away" in message


@pytest.mark.parametrize("name", ["EEG_recording_2024-01-01-10.00.00.csv", "EEG_recording_2024-01-01.csv"])
def test_names_of_todays_muselsl_are_refused_with_a_new_name(tmp_path, name):
    save(tmp_path / name, lines_of())
    with pytest.raises(DatasetError, match=rf"tell subject and state: rename them, such as {name} to ann-calm-1"):
        muse.read(tmp_path)
    save(tmp_path / "ann-calm-1.csv", lines_of())
    with pytest.warns(UserWarning, match=f"{name}: skipped, .*; rename it <subject>-<state>-<n>.csv"):
        assert len(muse.read(tmp_path)) == 1


def test_semicolons_are_said(tmp_path):
    lines = [line.replace(",", ";").replace(".", ",") for line in lines_of()]
    message = fault_of(save(tmp_path / "ann-calm-1.csv", lines, HEADER.replace(",", ";")))
    assert "fields are separated by semicolons. Export with commas" in message and "missing:" not in message


def test_a_table_of_features_is_told_from_a_recording(tmp_path):
    table = tmp_path / "features.csv"
    table.write_text(",".join(f"lag1_mean_{k}" for k in range(988)) + ",Label\n" + "0," * 988 + "1\n")
    for path in (table, tmp_path):
        report = datasets.check(path)
        assert not report.ok and "looks like a table of features" in report.text()
        assert "--name emotions" in report.text()
    save(tmp_path / "ann-calm-1.csv", lines_of())
    assert "features.csv: skipped, this looks like a table of features" in muse.check(tmp_path).decisions[0]
    table.rename(tmp_path / "ann-tense-1.csv")
    assert "found 989 columns; this looks like a table of features" in fault_of(tmp_path / "ann-tense-1.csv")


# ---- what a folder lacks ----

def missing_with(tmp_path, *names):
    for seed, name in enumerate(names):
        save(tmp_path / f"{name}.csv", lines_of(1100, seed=seed))
    report = muse.check(tmp_path)
    assert report.ok
    return report


def test_one_recording_lacks_nearly_everything(tmp_path):
    report = missing_with(tmp_path, "ann-calm-1")
    assert "1 recording of 1 person, 4 s: 1 calm" in report.found[1]
    assert [line.split(":")[0] for line in report.missing] == [
        "only one label, calm", "1 recording with label calm", "only one person, ann"]
    assert "recordings left out needs three" in report.missing[1]


def test_a_recording_of_a_second_and_a_half_is_too_short(tmp_path):
    save(tmp_path / "bob-calm-1.csv", lines_of(410, seed=9))
    report = missing_with(tmp_path, "ann-calm-1")
    assert report.missing[0] == "too short: bob-calm-1 (1.6 s): record 4 s or more without a gap"


def test_people_and_recordings_that_cannot_be_left_out_are_said(tmp_path):
    threes = [f"ann-{state}-{n}" for state in ("calm", "tense") for n in (1, 2, 3)]
    assert missing_with(tmp_path, *threes).missing == ["only one person, ann: people cannot be left out"]
    assert missing_with(tmp_path, *threes, "bob-calm-1").missing == [
        "only one person with label tense, ann: people cannot be left out", "no recording of bob with label tense"]
    assert missing_with(tmp_path, *threes, "bob-calm-1", "bob-tense-1").missing == []


def test_names_that_differ_in_capitals_only_are_said(tmp_path):
    report = missing_with(tmp_path, "Ann-calm-1", "ann-Calm-2")
    assert report.missing[:2] == ["one spelling: Calm and calm count as 2 labels",
                                  "one spelling: Ann and ann count as 2 subjects"]


def test_a_copy_under_a_label_in_capitals_is_a_copy(tmp_path):
    for name in ("ann-calm-1", "ann-Calm-2"):
        save(tmp_path / f"{name}.csv", lines_of())
    with pytest.warns(UserWarning, match="ann-calm-1 is a copy of ann-Calm-2"):
        assert len(muse.read(tmp_path)) == 1


def test_parts_of_a_recording_are_not_recordings(tmp_path):
    parts = [lines_of(seed=n, start=1_500_000_000 + 10 * n) for n in range(3)]
    save(tmp_path / "ann-calm-1.csv", sum(parts, []))
    assert len(muse.read(tmp_path)) == 3
    assert "1 recording with label calm" in muse.check(tmp_path).text()
