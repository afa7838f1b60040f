"""The EDF writer against MNE, the header reader against bytes made by hand, both against damaged files."""

from datetime import datetime

import mne
import numpy as np
import pytest

from eegemo_utils.datasets.formats import edf
from eegemo_utils.trials import DatasetError


def field(text, width):
    return str(text).encode().ljust(width)


def by_hand(labels=("EEG Fp1", "ECG"), n_records=2, sizes=(4, 2), unit="uV", reserved="", said=None, seconds="1",
            step=1):
    """An EDF without the writer: physical limits -100..100 on -32768..32767, samples counted up."""
    n_signals = len(labels)
    head = b"".join([field("0", 8), field("patient", 80), field("recording", 80), field("01.01.8500.00.00", 16),
                     field(256 * (n_signals + 1), 8), field(reserved, 44),
                     field(n_records if said is None else said, 8), field(seconds, 8), field(n_signals, 4)])
    columns = [(labels, 16), ([""] * n_signals, 80), ([unit] * n_signals, 8), (["-100"] * n_signals, 8),
               (["100"] * n_signals, 8), (["-32768"] * n_signals, 8), (["32767"] * n_signals, 8),
               ([""] * n_signals, 80), (sizes, 8), ([""] * n_signals, 32)]
    head += b"".join(field(value, width) for values, width in columns for value in values)
    return head + (step * np.arange(n_records * sum(sizes))).astype("<i2").tobytes()


def save(path, content):
    path.write_bytes(content)
    return path


def test_what_is_written_reads_back(tmp_path):
    rng = np.random.default_rng(0)
    eeg, ecg = rng.normal(0, 20, (2, 500)), rng.normal(0, 0.3, 500)
    path = edf.write_edf(tmp_path / "ä b.edf", [*eeg, ecg], ["EEG Fp1", "EEG O2", "ECG ECG"], 100,
                         units=["uV", "uV", "mV"], prefilter="HP:0.5Hz", annotations=True)
    header = edf.read_header(path)
    assert path.stat().st_size == 256 * 5 + 5 * 2 * sum(header.n_samples) and list(tmp_path.iterdir()) == [path]
    assert header.n_samples[:3] == (100, 100, 100)
    assert header.labels == ("EEG Fp1", "EEG O2", "ECG ECG", "EDF Annotations")
    assert header.reserved == "EDF+C" and header.seconds == 5 and header.sfreq("EEG O2") == 100
    assert header.units == ("uV", "uV", "mV", "") and header.prefilters[0] == "HP:0.5Hz"
    signals, sfreq = edf.read_edf(path, ["ECG ECG", "EEG O2", "EEG Fp1"])
    step = np.ptp(eeg, axis=1) / 65535
    assert sfreq == 100 and signals.dtype == np.float32
    assert np.abs(signals[2] - eeg[0]).max() < step[0] and np.abs(signals[1] - eeg[1]).max() < step[1]
    np.testing.assert_allclose(signals[0], ecg * 1e3, atol=1e3 * np.ptp(ecg) / 65000)
    raw = mne.io.read_raw_edf(path, verbose="error")
    assert raw.ch_names == ["EEG Fp1", "EEG O2", "ECG ECG"] and len(raw.annotations) == 0


def test_what_is_written_as_bdf_is_read_by_mne(tmp_path):
    signals = np.random.default_rng(0).normal(0, 20, (3, 500)) + [[1000], [0], [-250000]]
    path = edf.write_edf(tmp_path / "a.bdf", signals, ["Fz", "Cz", "Pz"], 250, limits=(-375000, 375000))
    raw = mne.io.read_raw_bdf(path, verbose="error")
    assert raw.ch_names == ["Fz", "Cz", "Pz"] and raw.info["sfreq"] == 250
    np.testing.assert_allclose(raw.get_data() * 1e6, signals, atol=0.03)
    found = edf.read_span(path, edf.open_edf(path, ["Pz", "Fz"]), "uV", ["Pz", "Fz"], 100, 300)
    np.testing.assert_allclose(found, signals[[2, 0], 100:300], atol=0.03)


def test_two_rates_dates_and_constant_signals(tmp_path):
    path = edf.write_edf(tmp_path / "a.edf", [np.zeros(500), np.arange(100.0)], ["EEG Cz", "PHOTIC"], [250, 50],
                         patient="00000001 F 01-JAN-1988 00000001 Age:23", start=datetime(2001, 2, 3, 12, 30))
    assert edf.read_header(path).patient.endswith("Age:23")
    assert edf.read_header(path).sfreq("PHOTIC") == 50
    signals, sfreq = edf.read_edf(path, ["EEG Cz"])
    assert sfreq == 250 and signals.shape == (1, 500) and np.abs(signals).max() < 1e-4
    assert mne.io.read_raw_edf(path, verbose="error").info["meas_date"].strftime("%Y%m%d%H%M") == "200102031230"
    with pytest.raises(DatasetError, match="expected one rate"):
        edf.read_edf(path, ["EEG Cz", "PHOTIC"])


@pytest.mark.parametrize("low, high", [(-45.16981, 59.3566), (-3e6, 1.0), (0.001, 0.0011), (-1e-4, 12345.678)])
def test_limits_enclose_the_signal(tmp_path, low, high):
    signal = np.linspace(low, high, 100)
    path = edf.write_edf(tmp_path / "a.edf", [signal], ["x"], 100)
    read = mne.io.read_raw_edf(path, verbose="error").get_data()[0] * 1e6
    np.testing.assert_allclose(read, signal, rtol=0, atol=(high - low) / 60000 + 1e-7 * abs(high))


def test_bytes_made_by_hand_are_read(tmp_path):
    path = save(tmp_path / "a.edf", by_hand())
    signals, sfreq = edf.read_edf(path, ["EEG Fp1"])
    assert sfreq == 4
    np.testing.assert_allclose(signals[0], (np.array([0, 1, 2, 3, 6, 7, 8, 9]) + 32768) * 200 / 65535 - 100,
                               atol=1e-4)
    assert edf.read_header(save(tmp_path / "open.edf", by_hand(said=-1))).n_records == 2
    volts, _ = edf.read_edf(save(tmp_path / "v.edf", by_hand(unit="V")), ["EEG Fp1"])
    np.testing.assert_allclose(volts, signals * 1e6, rtol=1e-5)


def test_headers_of_bdf_are_read(tmp_path):
    head = b"\xffBIOSEMI" + by_hand()[8:768]
    assert edf.read_header(save(tmp_path / "a.bdf", head + bytes(2 * 3 * 6))).n_records == 2
    with pytest.raises(DatasetError, match="2 records of 18 bytes"):
        edf.read_header(save(tmp_path / "a.bdf", head + bytes(24)))


@pytest.mark.parametrize("content, message", [
    (b"", "found 0 bytes"), (b"text" * 100, "expected an EDF file.*found b'textte"),
    (b"\xffBIOSEMI" + b" " * 300, "number of signals"),
    (by_hand()[:600], "truncated in its header"), (by_hand()[:-2], r"found 22 bytes \(truncated\)"),
    (by_hand() + b"x", "found 25 bytes. Get"), (by_hand(said="two"), "number of records.*found 'two'"),
    (by_hand(said=-1)[:768], "found 0 bytes"), (by_hand(said=0), "found 24 bytes"),
    (by_hand(seconds="0"), "seconds of a record"), (by_hand(seconds="nan"), "seconds of a record"),
    (by_hand(sizes=(0, 2)), "samples in a record"), (by_hand(unit="kg"), r"units \['kg'\]"),
    (by_hand(unit=""), r"units \[''\]"), (by_hand(reserved="EDF+D"), "with gaps"),
    (by_hand(labels=("EEG Cz", "ECG")), "missing or more than once: EEG Fp1; found EEG Cz, ECG"),
    (by_hand(labels=("EEG Fp1", "EEG Fp1")), "more than once: EEG Fp1"),
    (by_hand().replace(b"-100    ", b"100     "), "limits must differ"),
    (by_hand().replace(b"-32768  ", b"12.5    "), "digital limits: expected a number"),
    (by_hand().replace(b"768     ", b"512     ", 1), "expected a header of 768 bytes"),
])
def test_damaged_files_are_refused_by_name(tmp_path, content, message):
    path = save(tmp_path / "bad.edf", content)
    with pytest.raises(DatasetError, match=message) as caught:
        edf.read_edf(path, ["EEG Fp1"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("signals, options, message", [
    ([np.zeros(150)], {}, "cannot be written"), ([np.zeros(0)], {}, "cannot be"),
    ([np.array([np.nan] * 100)], {}, "finite"), ([np.full(100, 1e12)], {}, "cannot be written"),
    ([np.zeros(100)], {"patient": "x" * 81}, "exceeds maximum field length"), ([np.zeros(100)] * 2, {}, "zip"),
])
def test_what_edf_cannot_hold_is_refused(tmp_path, signals, options, message):
    with pytest.raises(DatasetError, match=message):
        edf.write_edf(tmp_path / "a.edf", signals, ["Cz"], 100, **options)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = save(tmp_path / "a.edf", b"old")
    with pytest.raises(DatasetError):
        edf.write_edf(path, [np.zeros(50)], ["Cz"], 100)
    assert path.read_bytes() == b"old"


def with_limits(content, place, low, high):
    """A file whose signal at `place` has other physical limits."""
    content, n_signals = bytearray(content), int(content[252:256])
    for row, text in enumerate((low, high)):
        at = 256 + n_signals * (16 + 80 + 8) + 8 * (n_signals * row + place)
        content[at:at + 8] = field(text, 8)
    return bytes(content)


def test_signals_nobody_asks_for_may_be_broken(tmp_path):
    whole, _ = edf.read_edf(save(tmp_path / "whole.edf", by_hand()), ["EEG Fp1"])
    path = save(tmp_path / "a.edf", with_limits(by_hand(), 1, "0", "0"))
    np.testing.assert_array_equal(edf.read_edf(path, ["EEG Fp1"])[0], whole)
    with pytest.raises(DatasetError, match="signal 'ECG': the physical limits must differ, found 0 twice"):
        edf.read_edf(path, ["ECG"])
    header = edf.read_header(save(tmp_path / "b.edf", with_limits(by_hand(), 0, "low", "")))
    assert header.fault(["ECG"]) == "" and "found 'low'" in header.fault(["EEG Fp1"])
    assert np.isnan(header.gains[0]) and header.gains[1] == 200 / 65535
