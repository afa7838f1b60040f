import pytest
from muse_recordings import HEADER, fault_of, lines_of, save

from eegemo_utils.datasets import muse
from eegemo_utils.trials import DatasetError


@pytest.mark.parametrize("row, change, message", [
    (10, lambda line: line.replace(",", ",lost", 1), "line 12, column TP9: expected a number, found 'lost"),
    (10, lambda line: line.rsplit(",", 1)[0] + ",nan", "line 12, column Right AUX: expected a finite number"),
    (10, lambda line: line.rsplit(",", 1)[0] + ",inf", "line 12, column Right AUX: expected a finite number"),
    (10, lambda line: line.rsplit(",", 1)[0] + ",", "line 12, column Right AUX: expected a number, found ''"),
    (10, lambda line: line.rsplit(",", 1)[0], "line 12: expected 6 fields, found 5"),
    (10, lambda line: line + ",0", "line 12: expected 6 fields, found 7"),
    (0, lambda line: line + ",0", "line 2: expected 6 fields, found 7"),
    (10, lambda line: "", "line 12: expected 6 fields, found 1"),
    (10, lambda line: line.replace("1500000000", "1499999990"), r"line 12: expected time stamps that go on"),
    (10, lambda line: line.replace(",", ",\x00", 1), "line 12, column TP9: expected a number"),
])
def test_a_faulty_line_is_named(tmp_path, row, change, message):
    lines = lines_of()
    lines[row] = change(lines[row])
    assert message in fault_of(save(tmp_path / "ann-calm-1.csv", lines))


def test_more_fields_than_the_header_names_are_refused(tmp_path):
    path = save(tmp_path / "ann-calm-1.csv", [line + ",0" for line in lines_of()])
    assert "line 2: expected 6 fields, found 7" in fault_of(path)


@pytest.mark.parametrize("header, message", [
    ("timestamps,TP9,AF7,TP10,Right AUX", "missing: AF8"),
    ("time,TP9,AF7,AF8,TP10,Right AUX", "missing: timestamps; not known: time"),
    ("timestamps,TP9,AF7,AF8,TP10,Right AUX,Quality", "not known: Quality"),
    ("timestamps,TP9,TP9,AF7,AF8,TP10,Right AUX", "occurs twice"),
    ("1.0,2.0,3.0,4.0,5.0,6.0", "expected the header timestamps,TP9"),
])
def test_a_wrong_header_is_refused(tmp_path, header, message):
    path = save(tmp_path / "ann-calm-1.csv", lines_of(), header)
    assert message in fault_of(path)


@pytest.mark.parametrize("content, message", [
    (b"", "empty"), (b"\n", "empty"), (HEADER.encode() + b"\n", "no samples"),
    (HEADER.encode(), "no samples"),
    (b"\x89PNG\r\n\x1a\n\xff\xfe", "expected the header"),
])
def test_a_file_without_samples_is_refused(tmp_path, content, message):
    path = tmp_path / "ann-calm-1.csv"
    path.write_bytes(content)
    assert message in fault_of(path)


def test_volts_and_other_rates_are_refused(tmp_path):
    rows = [line.split(",") for line in lines_of()]
    volts = [",".join([row[0], *(f"{float(value) * 1e-6:.9f}" for value in row[1:])]) for row in rows]
    assert "looks like volts" in fault_of(save(tmp_path / "volts" / "ann-calm-1.csv", volts))
    slow = [",".join([f"{1.5e9 + k / 220:.3f}", *row[1:]]) for k, row in enumerate(rows)]
    slow_file = save(tmp_path / "slow" / "ann-calm-1.csv", slow)
    assert "expected 256 samples a second, found 220" in fault_of(slow_file)


def test_folders_without_recordings_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="none.: no such folder"):
        muse.read(tmp_path / "none?")
    with pytest.raises(DatasetError, match="found no csv file"):
        muse.read(tmp_path)
    save(tmp_path / "10sec.csv", lines_of())
    with pytest.raises(DatasetError, match=r"1 csv file, none so named \(10sec.csv"):
        muse.read(tmp_path)
    assert "none so named" in muse.check(tmp_path).text()


@pytest.mark.parametrize("n_samples, found", [(1, "1 sample in 1 part, the longest of 0.00 s"),
                                              (96, "96 samples in 1 part, the longest of 0.37 s")])
def test_a_recording_that_is_too_short_is_a_fault_among_others(tmp_path, n_samples, found):
    save(tmp_path / "ann-calm-2.csv", lines_of(seed=1))
    path = save(tmp_path / "ann-calm-1.csv", lines_of(n_samples))
    assert f"expected at least 1 s without a gap, found {found}. Record longer" in fault_of(path)


def test_check_counts_faults_and_says_what_is_missing(tmp_path):
    save(tmp_path / "ann-calm-1.csv", lines_of(seed=1))
    save(tmp_path / "ann-tense-1.csv", lines_of(seed=2))
    save(tmp_path / "bob-calm-1.csv", lines_of(seed=3))
    report = muse.check(tmp_path)
    assert report.ok and report.missing[-1] == "no recording of bob with label tense"
    assert "3 recordings of 2 people, 7 s: 2 calm, 1 tense" in report.found[1]
    save(tmp_path / "bob-tense-1.csv", ["text"])
    save(tmp_path / "bob-tense-2.csv", ["text"])
    assert sum("fault" in line for line in muse.check(tmp_path).missing) == 2
    with pytest.raises(DatasetError, match="bob-tense-1.csv.*1 more fault "):
        muse.read(tmp_path)
