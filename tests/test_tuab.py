import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from scipy.signal import butter, sosfiltfilt
from test_edf import with_limits
from tuh_recordings import LABELS, NAMES, edf_bytes, noise, save

from eegemo_utils.datasets import tuab
from eegemo_utils.datasets.tuh_files import MONTAGES, PAIRS, resample
from eegemo_utils.trials import DatasetError

FLAT = "edf/train/abnormal/01_tcp_ar/aaaaamye_s001_t000.edf"
DEEP = "edf/train/normal/01_tcp_ar/078/00007871/s001_2011_07_05/00007871_s001_t001.edf"
UV = 3276.75 / 32767  # of one digital step


def slow(signals, sfreq=200.0):
    """Without what resampling takes away."""
    return sosfiltfilt(butter(8, 60, fs=sfreq, output="sos"), signals)[:, 100:-100]


# ---- facts ----

def test_counts_and_montages_of_the_papers():
    assert sum(tuab.COUNTS.values()) == 2993 and sum(tuab.CBRAMOD_WINDOWS.values()) == tuab.WINDOWS == 409455
    assert [len(MONTAGES[name]) for name in ("referential", "bipolar16", "bipolar22")] == [23, 16, 22]
    assert MONTAGES["referential"] == NAMES
    assert [PAIRS.index(pair) for pair in MONTAGES["bipolar16"]] == [*range(8), *range(14, 22)]
    assert {part for pair in PAIRS for part in pair.split("-")} <= set(NAMES)


# ---- the original layout, made by hand ----

def test_both_releases_are_found_by_their_places(tmp_path):
    root = tmp_path / "Aufnahmen ß 日本"
    save(root / FLAT)
    save(root / DEEP, patient="00007871 M 01-JAN-1988 00007871 Age:0.0109")
    save(root / "edf/eval/normal/01_tcp_ar/aaaaabcd_s003_t002.edf", patient="/aa X /aa")
    save(root / "notes/elsewhere.edf")
    found = list(tuab.recordings(root))
    assert [(one.subject, one.session, one.trial, one.split, one.label) for one in found] == [
        ("00007871", 1, 2, "train", "normal"), ("aaaaabcd", 3, 3, "eval", "normal"),
        ("aaaaamye", 1, 1, "train", "abnormal")]
    trials = tuab.read(root)
    assert trials.table["age"].tolist()[::2] == [0.0109, 23] and np.isnan(trials.table["age"][1])
    assert trials.table["sex"].tolist() == ["M", "X", "F"] and trials.table["n_windows"].tolist() == [1] * 3
    assert trials.decisions == ("1 EDF files ignored, whose place names no recording: notes/elsewhere.edf",)
    assert [one.path.name for one in tuab.recordings(root, ["aaaaabcd"])] == ["aaaaabcd_s003_t002.edf"]


def test_nothing_is_read_before_load(tmp_path):
    save(tmp_path / FLAT, b"")
    recording, = tuab.recordings(tmp_path)
    with pytest.raises(DatasetError, match="aaaaamye_s001_t000.edf"):
        tuab.load(recording)


def test_channels_are_picked_by_name(tmp_path):
    numbers = noise(rate=200)
    order = np.random.default_rng(1).permutation(23)
    labels = [LABELS[place] for place in order]
    labels[3] = labels[3].replace("-REF", "-LE")
    extra = ("EEG EKG1-REF", "PHOTIC-REF", "IBI", "BURSTS", "SUPPR", "EEG ROC-REF", "EEG 20-REF")
    save(tmp_path / FLAT, edf_bytes(numbers[order], labels, 200, extra=extra))
    trials = tuab.read(tmp_path)
    assert trials.info["ch_names"][:3] == ["Fp1", "Fp2", "F3"] and trials.info["ch_names"][12:16] == [
        "T7", "T8", "P7", "P8"]
    assert set(trials.info.get_channel_types()) == {"eeg"} and trials.signals[0].dtype == np.float32
    np.testing.assert_allclose(trials.signals[0], numbers * UV, atol=1e-3)
    pairs = tuab.read(tmp_path, montage="bipolar16")
    assert pairs.info["ch_names"][:2] == ["Fp1-F7", "F7-T7"]
    np.testing.assert_allclose(pairs.signals[0][8], (numbers[0] - numbers[2]) * UV, atol=2e-3)  # FP1-F3
    tcp = tuab.read(tmp_path, montage="bipolar22")
    np.testing.assert_allclose(tcp.signals[0][13], (numbers[13] - numbers[17]) * UV, atol=2e-3)  # T4-A2
    middle = (trials.info["chs"][0]["loc"][:3] + trials.info["chs"][10]["loc"][:3]) / 2
    np.testing.assert_allclose(pairs.info["chs"][0]["loc"][:3], middle)


@pytest.mark.parametrize("rate", [250, 256, 400, 512])
def test_all_rates_become_200(tmp_path, rate):
    seconds = np.arange(12 * rate) / rate
    wave = 300 * np.sin(2 * np.pi * 10 * seconds) + (200 * np.sin(2 * np.pi * 115 * seconds))  # 115 must go
    save(tmp_path / FLAT, edf_bytes(np.tile(np.rint(wave), (23, 1)), LABELS, rate))
    trials = tuab.read(tmp_path)
    assert trials.info["sfreq"] == 200 and trials.signals[0].shape == (23, 2400)
    assert trials.table["file_sfreq"].tolist() == [rate]
    expected = 300 * UV * np.sin(2 * np.pi * 10 * np.arange(2400) / 200)
    assert np.abs(trials.signals[0][5] - expected)[200:-200].max() < 0.5


# ---- what is skipped, out loud ----

def test_what_the_released_script_takes_is_told_apart(tmp_path):
    place = "edf/eval/normal/01_tcp_ar/aaaaab{}_s001_t000.edf"
    extras = {"aa": (), "ab": ("EEG EKG1-REF", "IBI", "EEG 128-REF", "EDF Annotations"), "ac": ("EEG 19-REF",),
              "ad": ("EEG X1-REF", "ABDO")}
    for name, extra in extras.items():
        save(tmp_path / place.format(name), edf_bytes(noise(), LABELS, 250, extra=extra))
    save(tmp_path / place.format("ae"), edf_bytes(noise(), [label.replace("REF", "LE") for label in LABELS], 250))
    trials = tuab.read(tmp_path)
    assert trials.table["official"].tolist() == [True, True, False, False, False]
    assert [line.split(":")[0] for line in trials.decisions if "though LaBraM's script skips it" in line] == [
        "aaaaabac_s001_t000.edf", "aaaaabad_s001_t000.edf", "aaaaabae_s001_t000.edf"]
    assert "ABDO" in trials.decisions[1]


def test_skips_are_counted_and_named(tmp_path):
    save(tmp_path / FLAT)
    place = "edf/eval/normal/01_tcp_ar/aaaaab{}_s001_t000.edf"
    save(tmp_path / place.format("aa"), edf_bytes(noise(n=22), LABELS[:22], 250))
    save(tmp_path / place.format("ab"), edf_bytes(noise(n_seconds=9), LABELS, 250))
    save(tmp_path / place.format("ac"), edf_bytes(noise(), [*LABELS[:22], "EEG fp1-ref"], 250))
    mixed = [label.replace("FP", "Fp") for label in LABELS]
    save(tmp_path / place.format("ad"), edf_bytes(noise(), mixed, 250))
    trials = tuab.read(tmp_path)
    assert trials.table["subject"].tolist() == ["aaaaabad", "aaaaamye"]
    assert trials.decisions[0] == "3 of 5 recordings skipped"
    assert "aaaaabaa_s001_t000.edf: skipped, without (or with twice) the electrodes T2" in trials.decisions
    assert "aaaaabab_s001_t000.edf: skipped, 9 s are shorter than one window of 10 s" in trials.decisions
    assert "aaaaabac_s001_t000.edf: skipped, without (or with twice) the electrodes FP1, T2" in trials.decisions
    assert any("letter case" in line and "Fp1" in line for line in trials.decisions)
    report = tuab.check(tmp_path)
    assert report.ok and set(trials.decisions) - {trials.decisions[0]} <= set(report.decisions), report.text()
    assert tuab.read(tmp_path, ["aaaaabaa"], montage="bipolar16").signals[0].shape == (16, 2400)  # needs no T2
    with pytest.raises(DatasetError, match="no recording could be used. 1 of 1 recordings skipped"):
        tuab.read(tmp_path, ["aaaaabaa"])
    part = tuab.load(next(tuab.recordings(tmp_path, ["aaaaabaa"])))
    assert len(part) == 0 and "skipped" in part.decisions[0]


# ---- simulate, write, read ----

def test_a_signal_without_limits_matters_only_where_it_is_asked_for(tmp_path):
    content = edf_bytes(noise(), LABELS, 250, extra=("IBI", "BURSTS"))
    save(tmp_path / FLAT, with_limits(content, 23, 0, 0))  # IBI
    (tmp_path / FLAT).with_name("aaaaamye_s001_t001.edf").write_bytes(with_limits(content, 0, 0, 0))  # FP1
    trials = tuab.read(tmp_path)
    assert trials.table["trial"].tolist() == [1]
    np.testing.assert_allclose(slow(trials.signals[0]), slow(resample(noise() * UV, 250, 200)), atol=1e-3)
    assert trials.decisions[0] == "1 of 2 recordings skipped"
    assert trials.decisions[1].startswith("aaaaamye_s001_t001.edf: skipped, signal 'EEG FP1-REF': the physical limits")
    report = tuab.check(tmp_path)
    assert report.ok and "1 of 2 recordings are skipped" in report.decisions and trials.decisions[1] in report.decisions


def test_written_corpus_comes_back(tmp_path):
    corpus = tuab.simulate()
    paths = tuab.write(corpus, tmp_path / "new")
    assert paths[0].relative_to(tmp_path / "new").as_posix() == "edf/train/normal/01_tcp_ar/simaaaaa_s001_t000.edf"
    again = tuab.read(tmp_path / "new")
    pd.testing.assert_frame_equal(again.table, corpus.table)
    assert again.info["ch_names"] == corpus.info["ch_names"] and again.description == "simulated TUAB corpus"
    assert again.table["split"].value_counts().to_dict() == {"train": 6, "eval": 2}
    assert set(again.table["file_sfreq"]) == {250, 256, 512} and set(again.table["label"]) == set(tuab.LABELS)
    for old, new in zip(corpus.signals, again.signals):
        np.testing.assert_allclose(slow(new), slow(old), atol=0.5)
    head = paths[0].read_bytes()[:256 + 16 * 28]
    assert head[8:88].decode().split() == ["simaaaaa", "F", "01-JAN-0000", "simaaaaa", "Age:20"]
    labels = [head[256 + 16 * k: 272 + 16 * k].decode().strip() for k in range(28)]
    assert labels == [*LABELS, "EEG EKG1-REF", "PHOTIC-REF", "IBI", "BURSTS", "SUPPR"]


def test_oddities_are_in_the_files(tmp_path):
    corpus = tuab.simulate(2)
    assert len(tuab.write(corpus, tmp_path, oddities=True)) == 5
    trials = tuab.read(tmp_path)
    assert len(trials) == 3 and trials.table["file_sfreq"].tolist() == [250, 512, 256]
    assert sum("skipped" in line for line in trials.decisions) == 3  # the count, and two names
    assert any("letter case" in line for line in trials.decisions)
    assert tuab.check(tmp_path).ok


def test_the_planted_effect_is_in_the_files(tmp_path):
    tuab.write(tuab.simulate(8, n_seconds=30, effect=3.0, fingerprint=0), tmp_path)
    trials = tuab.read(tmp_path)
    place = trials.info["ch_names"].index("O1")
    power = [sosfiltfilt(butter(4, (8, 12), "bandpass", fs=200, output="sos"), signal[place]).std()
             for signal in trials.signals]
    means = pd.Series(np.log(power)).groupby(trials.table["label"]).mean()
    assert means["normal"] > means["abnormal"] + 0.3  # arousal, put higher in abnormal, takes alpha away


def test_write_refuses_what_it_cannot_write(tmp_path):
    corpus = tuab.simulate(2)
    save(tmp_path / "real" / FLAT)
    with pytest.raises(DatasetError, match="holds other recordings .edf/train/abnormal/01_tcp_ar/aaaaamye"):
        tuab.write(corpus, tmp_path / "real")
    for column, value in (("subject", "Ann-1"), ("split", "test"), ("label", "sick")):
        wrong = tuab.Trials(corpus.signals, corpus.info, corpus.table.assign(**{column: value}, trial=[1, 2]))
        with pytest.raises(DatasetError, match="cannot name the recording"):
            tuab.write(wrong, tmp_path / "a")
    tuab.write(corpus, tmp_path / "b")
    with pytest.raises(DatasetError, match="missing: FP1"):
        tuab.write(tuab.read(tmp_path / "b", montage="bipolar16"), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_readers_write_nothing(tmp_path):
    tuab.write(tuab.simulate(2), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    tuab.read(tmp_path)
    assert tuab.check(tmp_path).ok
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


# ---- bad input ----

@pytest.mark.parametrize("content, message", [
    (b"", "expected an EDF"),
    (edf_bytes(noise(), LABELS, 250)[:-100], "truncated"),
    (edf_bytes(noise(n_seconds=60, rate=100), LABELS, 100), "expected 150 to 5000 samples a second, found 100"),
    (edf_bytes(noise(), LABELS, 250, unit="V"), "taken for volts.* by 1e-6"),
    (edf_bytes(noise() / 10, LABELS, 250, limit=0.001), "looks like volts"),
    (edf_bytes(noise(), LABELS, 250, unit="mmHg"), "expected signals in uV, mV or V"),
])
def test_damaged_recordings_are_named(tmp_path, content, message):
    save(tmp_path / FLAT, content)
    with pytest.raises(DatasetError, match=f"(?s)aaaaamye_s001_t000.edf.*{message}"):
        tuab.read(tmp_path)


def test_faulty_files_are_in_the_report(tmp_path):
    save(tmp_path / FLAT)
    save(tmp_path / DEEP, edf_bytes(noise(), LABELS, 250)[:-1])
    report = tuab.check(tmp_path)
    assert not report.ok and any("00007871_s001_t001.edf" in line for line in report.missing)
    assert any("2993 recordings" in line for line in report.missing)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        tuab.read(tmp_path / "missing")
    save(tmp_path / "a" / "Subject00_1.edf")
    with pytest.raises(DatasetError, match="found 1 other EDF files"):
        tuab.read(tmp_path / "a")
    assert not tuab.check(tmp_path / "a").ok and not tuab.check(tmp_path / "missing").ok
    save(tmp_path / "b" / FLAT)
    with pytest.raises(DatasetError, match="no files of eve; there are aaaaamye"):
        list(tuab.recordings(tmp_path / "b", ["eve"]))
    with pytest.raises(DatasetError, match="no montage is called 'bipolar'"):
        tuab.read(tmp_path / "b", montage="bipolar")
    save(tmp_path / "b" / "v2" / FLAT.replace("ar/", "ar/000/aaaaamye/s001/"))
    with pytest.raises(DatasetError, match="the same recording. Two releases"):
        tuab.read(tmp_path / "b")


def test_damaged_files_are_read_or_refused(tmp_path):
    path = save(tmp_path / FLAT, edf_bytes(noise(n_seconds=10, rate=150), LABELS, 150))

    @MUTATED
    @given(mutations(path.read_bytes()))
    def run(changed):
        path.write_bytes(changed)
        reads_or_refuses(lambda: tuab.read(tmp_path), path)

    run()
