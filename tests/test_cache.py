import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from eegemo_utils import cache
from eegemo_utils.cache import cache_folder, cached, clear_cache
from eegemo_utils.features import BANDS, electrode_maps, recordings, trial_features
from eegemo_utils.simulate import simulate_trials

CALLS, EACH_TRIAL = [], recordings._each_trial


def some_trials(random_state=0):
    plan = pd.DataFrame({"subject": ["s01", "s01", "sää 2"], "session": 1, "trial": [1, 2, 1], "label": [0, 1, 0],
                         "n_seconds": 5.0, "baseline_seconds": 1.0, "rating": [1.5, 1 / 3, 9.0],
                         "fine": [True, False, True]})
    return simulate_trials(plan, ch_names=["Fz", "Cz", "O1", "ECG"], sfreq=128.0, random_state=random_state)


def counting(trials, baseline, **parameters):
    CALLS.append(parameters)
    return EACH_TRIAL(trials, baseline, **parameters)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EEGEMO_CACHE", str(tmp_path / "Cäche dir"))
    monkeypatch.setattr(recordings, "_each_trial", counting)
    CALLS.clear()
    return tmp_path / "Cäche dir"


def entries(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def same(one, other):
    np.testing.assert_array_equal(one.X, other.X)
    assert one.X.dtype == other.X.dtype
    pd.testing.assert_frame_equal(one.table, other.table)
    assert (one.names, one.bands) == (other.names, other.bands)
    assert one.info["ch_names"] == other.info["ch_names"] and one.info["sfreq"] == other.info["sfreq"]
    for left, right in zip(one.info["chs"], other.info["chs"]):
        np.testing.assert_array_equal(left["loc"], right["loc"])
    return one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize("make, parameters", [
    (trial_features, {"bands": BANDS["faced"], "seconds": 0.5}),
    (electrode_maps, {"kinds": ("de",), "baseline": "theta_bug"}),
])
def test_what_is_read_equals_what_was_computed(folder, make, parameters):
    trials = some_trials()
    computed = cached(make, trials, **parameters)
    assert len(entries(folder)) == 1 and same(computed, make(trials, **parameters))
    assert same(cached(make, trials, **parameters), computed)
    assert entries(folder)[0].endswith(".npz")


def test_it_is_computed_once_and_again_when_anything_differs(folder, monkeypatch):
    trials = some_trials()
    for _ in range(3):
        cached(trial_features, trials, seconds=1.0, kind="de")
        cached(trial_features, trials, kind="de", seconds=1.0)
    assert len(CALLS) == 1
    cached(trial_features, trials, seconds=0.5)
    cached(trial_features, some_trials(1), seconds=0.5)
    turned = dict(reversed(BANDS["mtcnn"].items()))
    cached(trial_features, trials, bands=BANDS["mtcnn"])
    assert cached(trial_features, trials, bands=turned).bands == tuple(turned)
    assert len(CALLS) == 5
    monkeypatch.setattr(cache, "_code_version", lambda: "another")
    cached(trial_features, trials, seconds=0.5)
    assert len(CALLS) == 6 and len(entries(folder)) == 6
    clear_cache()
    assert entries(folder) == []


def test_functions_that_may_depend_on_anything_are_refused():
    def mine(trials):
        return trial_features(trials)

    mine.__module__ = "eegemo_utils.features"
    for make in (some_trials, mine):
        with pytest.raises(TypeError, match="only functions of this package"):
            cached(make, some_trials())


def test_the_code_version_changes_with_the_code(monkeypatch, tmp_path):
    package = tmp_path / "package"
    (package / "features").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "features" / "power.py").write_text("x = 1")
    monkeypatch.setattr(cache.eegemo_utils, "__file__", str(package / "__init__.py"))
    versions = []
    for text in ("x = 1", "x = 2"):
        (package / "features" / "power.py").write_text(text)
        cache._code_version.cache_clear()
        versions.append(cache._code_version())
    cache._code_version.cache_clear()
    assert versions[0] != versions[1]


def test_damaged_entries_are_computed_again(folder):
    trials = some_trials()
    computed = cached(trial_features, trials)
    (path,) = folder.rglob("*.npz")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    for damaged in (b"", whole[:100], whole[:-30], bytes(flipped), b"PK" + whole[2:50] * 30):
        path.write_bytes(damaged)
        assert same(cached(trial_features, trials), computed)
        assert path.read_bytes() != damaged  # and mended
    assert len(CALLS) == 6
    np.savez(path, X=np.ones((3, 3, 3)))
    assert same(cached(trial_features, trials), computed)
    arrays = dict(np.load(path))
    arrays["X"] = arrays["X"] + 1  # a sound file with other content
    np.savez(path, **arrays)
    assert same(cached(trial_features, trials), computed) and len(CALLS) == 8
    assert entries(folder) == [path.name]


def test_what_no_entry_can_hold_is_computed_each_time(folder):
    trials = some_trials()
    trials.table["parts"] = [[1], [2], [3]]
    for _ in range(2):
        assert cached(trial_features, trials).table["parts"].tolist() == [[1]] * 4 + [[2]] * 4 + [[3]] * 4
    assert len(CALLS) == 2 and entries(folder) == []
    with pytest.raises(TypeError, match="not JSON serializable"):
        cached(trial_features, trials, bands=np.ones(3))


def test_a_folder_that_cannot_be_written_costs_no_result(folder):
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    assert len(cached(trial_features, some_trials(), seconds=1.0)) == 12


def test_the_folder_is_the_users_own(monkeypatch):
    monkeypatch.delenv("EEGEMO_CACHE")
    assert cache_folder().is_absolute() and "eegemo" in cache_folder().name


PROCESS = """
import sys, time
sys.path[:0] = [{tests!r}]
from test_cache import some_trials
from eegemo_utils.cache import cached
from eegemo_utils.features import trial_features
trials = some_trials()
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    print(cached(trial_features, trials, seconds=0.5 + 0.125 * (number % 4)).fingerprint())
"""


def test_two_processes_share_the_folder(folder):
    code = PROCESS.format(tests=os.path.dirname(__file__))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # both begin now
        process.stdin.write("go\n")
        process.stdin.flush()
    one, other = (process.communicate(timeout=120)[0].split() for process in processes)
    assert all(process.returncode == 0 for process in processes)
    assert one == other and len(one) == 20 and len(set(one)) == 4
    assert len(entries(folder)) == 4 and all(name.endswith(".npz") for name in entries(folder))
    assert one[0] == cached(trial_features, some_trials(), seconds=0.5).fingerprint()


def test_a_process_that_dies_while_writing_leaves_no_entry(folder, monkeypatch):
    def dies(file, **arrays):
        file.write(b"PK half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "savez", dies)
    with pytest.raises(KeyboardInterrupt):
        cached(trial_features, some_trials())
    assert entries(folder) == []
