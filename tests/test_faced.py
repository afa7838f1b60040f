"""FACED: pickles, features and ratings of the release; the BIDS form is tested in test_faced_bids.py."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.datasets import faced
from eegemo_utils.datasets.faced_files import CLIP_SECONDS, clip_table
from eegemo_utils.trials import DatasetError

ORDER = [11, 8, 2, 5, 6, 9, 3, 12, 20, 17, 26, 23, 13, 15, 14, 16, 10, 1, 4, 7, 28, 25, 22, 19, 18, 21, 27, 24]
MESSAGE = "damaged|expected|cut off"


def noise(n_times=7500, seed=0, scale=10.0):
    return np.random.default_rng(seed).normal(0, scale, (28, 32, n_times))


def save(path, thing):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pickle.dump(thing, file)


def save_remarks(path, order=ORDER, score=3.0):
    fields = ["score", "trial", "vid", "Accuracy", "ResponseTime"]
    remarks = np.empty((28, 1), dtype=[(name, object) for name in fields])
    for place, clip in enumerate(order):
        empty = np.empty((1, 0))
        remarks[place, 0] = (np.full((1, 12), score) + np.arange(12) / 12, np.uint8(place + 1), np.uint8(clip), empty,
                             empty)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"After_remark": remarks})


@pytest.fixture(scope="module")
def cohort():
    return faced.simulate(2, n_seconds=2.0)


# ---- facts ----

def test_clips_and_their_emotions():
    table = clip_table()
    assert table.groupby("emotion", sort=False).size().tolist() == [3, 3, 3, 3, 4, 3, 3, 3, 3]
    assert table["emotion"].unique().tolist() == list(faced.EMOTIONS)
    assert table.set_index("clip")["valence3"].loc[[1, 12, 13, 16, 17, 28]].tolist() == [
        "negative", "negative", "neutral", "neutral", "positive", "positive"]
    assert table.loc[table["emotion"] == "neutral", "take"].tolist() == [1, 2, 3, 4]
    films = table.set_index("clip")["film"]
    assert films[[1, 22, 28]].tolist() == ["The Tokyo Trial", "The Shawshank Redemption", "Sex and the City Ⅱ"]
    assert films.nunique() == 24 and set(films[13:16]) == {"Blue"} and films[7] == films[8]
    assert len(CLIP_SECONDS) == 28 and min(CLIP_SECONDS) == 34.1 and sum(CLIP_SECONDS[12:16]) == pytest.approx(161.4)


def test_published_splits_and_their_windows():
    assert [len(fold) for fold in faced.OFFICIAL_FOLDS] == [12] * 9 + [15]
    assert faced.OFFICIAL_FOLDS[-1][0] == "sub108" and faced.OFFICIAL_FOLDS[-1][-1] == "sub122"
    windows = {part: len(people) * 28 * 3 for part, people in faced.CBRAMOD_SPLIT.items()}
    assert windows == faced.CBRAMOD_WINDOWS and sum(windows.values()) == 10332
    assert len(faced.ELECTRODES) == 30 and faced.ELECTRODES[27:] == ("Oz", "O1", "O2")


# ---- the original layout, made by hand ----

def test_processed_data_as_the_release_has_it(tmp_path):
    root = tmp_path / "Daten ß 日本"
    signals = noise()
    save(root / "Processed_data" / "sub000.pkl", signals)
    save_remarks(root / "Data" / "sub000" / "After_remarks.mat")
    trials = faced.read(root)
    assert trials.info["ch_names"] == list(faced.ELECTRODES) and trials.info["sfreq"] == 250
    assert set(trials.info.get_channel_types()) == {"eeg"}
    np.testing.assert_array_equal(np.stack(trials.signals), signals[:, :30].astype(np.float32))
    row = trials.table.loc[10]  # clip 11 is the first that was played
    assert row[["subject", "session", "trial", "label", "valence3", "take", "played"]].tolist() == [
        "sub000", 1, 11, "sadness", "negative", 2, 1]
    assert trials.table["played"].tolist() == [ORDER.index(clip) + 1 for clip in range(1, 29)]
    assert row["joy"] == 3 and row["liking"] == pytest.approx(3 + 11 / 12)
    assert trials.decisions == ("mastoids (HEOR, HEOL) dropped",)
    assert faced.read(root / "Processed_data").table["played"].notna().all()


def test_features_as_the_release_has_them(tmp_path):
    de = np.random.default_rng(0).normal(2, 1, (28, 32, 30, 5))
    de[4, 3, 7, 2] = -np.inf
    save(tmp_path / "EEG_Features" / "DE" / "sub003.pkl.pkl", de)
    save(tmp_path / "EEG_Features" / "PSD" / "sub003.pkl", np.exp(de))
    windows = faced.read(tmp_path, form="features")
    assert windows.X.shape == (840, 30, 5) and windows.bands == ("delta", "theta", "alpha", "beta", "gamma")
    assert windows.X.dtype == np.float32 and windows.info["ch_names"] == list(faced.ELECTRODES)
    np.testing.assert_array_equal(windows.X[31], de[1, :30, 1].astype("f4"))
    assert windows.table.loc[31, ["subject", "trial", "window", "label"]].tolist() == ["sub003", 2, 1, "anger"]
    assert windows.X[4 * 30 + 7, 3, 2] == -30 and windows.description == f"FACED in {tmp_path.name}"
    assert any("1 values of constant signals (-inf) set to -30" in said for said in windows.decisions)
    assert np.isnan(windows.table["valence"]).all()
    psd = faced.read(tmp_path, form="features", feature="PSD").X
    np.testing.assert_array_equal(psd[0], np.exp(de[0, :30, 0]).astype("f4"))
    report = faced.check(tmp_path)
    assert report.ok and any("-inf" in line for line in report.decisions), report.text()
    binary = faced.read(tmp_path, form="features", target="binary")
    assert len(binary) == 720 and set(binary.table["label"]) == {"negative", "positive"}


def test_two_and_three_classes(tmp_path, cohort):
    faced.write(cohort, tmp_path)
    binary = faced.read(tmp_path, target="binary")
    assert binary.table["label"].value_counts().to_dict() == {"negative": 24, "positive": 24}
    assert not set(range(13, 17)) & set(binary.table["trial"]) and "neutral clips left out" in binary.decisions[0]
    valence = faced.read(tmp_path, target="valence3", subjects=["sub061"])
    assert valence.table["label"].value_counts().to_dict() == {"negative": 12, "positive": 12, "neutral": 4}


# ---- simulate, write, read ----

def test_written_people_come_back(tmp_path, cohort):
    paths = faced.write(cohort, tmp_path / "new")
    assert [path.relative_to(tmp_path / "new").as_posix() for path in paths] == [
        "Processed_data/sub008.pkl", "Data/sub008/After_remarks.mat",
        "Processed_data/sub061.pkl", "Data/sub061/After_remarks.mat"]
    again = faced.read(tmp_path / "new")
    pd.testing.assert_frame_equal(again.table, cohort.table)
    np.testing.assert_array_equal(np.stack(again.signals), np.stack(cohort.signals))
    assert again.description == "simulated FACED cohort" and again.info["ch_names"] == cohort.info["ch_names"]
    stored = pickle.loads(paths[0].read_bytes())
    assert stored.shape == (28, 32, 500) and stored.dtype == np.float64
    assert np.abs(stored.mean(axis=(1, 2))).max() < 0.5 and 5 < stored.std(axis=2).mean() < 30
    remarks = scipy.io.loadmat(paths[1])["After_remark"]
    assert remarks.shape == (28, 1) and remarks.dtype.names == ("score", "trial", "vid", "Accuracy", "ResponseTime")
    assert remarks["score"][0, 0].shape == (1, 12) and remarks["vid"][0, 0].dtype == np.uint8
    report = faced.check(tmp_path / "new")
    assert report.ok and report.found[0] == "simulated FACED cohort", report.text()
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if "partial" in name]


def test_written_features_are_those_of_the_signals(tmp_path, cohort):
    paths = faced.write(cohort, tmp_path, form="features")
    stored = pickle.loads(paths[0].read_bytes())
    assert stored.shape == (28, 32, 2, 5) and paths[0].name == "sub008.pkl.pkl"
    de, psd = (faced.read(tmp_path, form="features", feature=name) for name in ("DE", "PSD"))
    assert de.X.shape == (2 * 28 * 2, 30, 5)
    np.testing.assert_array_equal(de.table[cohort.table.columns].drop_duplicates().reset_index(drop=True),
                                  cohort.table)
    # a filtered signal has nearly no mean, so that one follows from the other
    np.testing.assert_allclose(de.X[:, :, 2:], 0.5 * np.log(2 * np.pi * np.e * psd.X[:, :, 2:]), atol=0.05)


def test_play_order_has_blocks_of_one_valence(cohort):
    for _, rows in cohort.table.groupby("subject"):
        blocks = rows.sort_values("played")["valence3"].to_numpy().reshape(7, 4)
        assert all(len(set(block)) == 1 for block in blocks)


def test_the_planted_effect_is_in_the_files_and_gone_without_effect(tmp_path):
    found = []
    for effect in (3.0, 0.0):
        root = tmp_path / str(effect)
        faced.write(faced.simulate(4, n_seconds=4.0, effect=effect, fingerprint=0), root, form="features")
        windows = faced.read(root, form="features")
        names = windows.info["ch_names"]
        asymmetry = windows.X[:, names.index("F4"), 2] - windows.X[:, names.index("F3"), 2]  # alpha, right - left
        side = windows.table["valence3"]
        found.append(asymmetry[side == "positive"].mean() - asymmetry[side == "negative"].mean())
    assert found[0] > 0.5 and abs(found[1]) < 0.1


def test_simulation_is_seeded_and_bounded():
    assert faced.simulate(1, n_seconds=1).fingerprint() == faced.simulate(1, n_seconds=1).fingerprint()
    assert faced.simulate(1, n_seconds=1).fingerprint() != faced.simulate(1, n_seconds=1, random_state=1).fingerprint()


# ---- bad input ----

@pytest.mark.parametrize("thing, message", [
    (noise(6000), r"found an array of shape \(28, 32, 6000\)"),
    (noise()[:27], r"\(27, 32, 7500\)"),
    (noise()[:, :30], r"\(28, 30, 7500\)"),
    (noise() * 1e-6, "looks like volts"),
    (noise() * 1e6, "standard deviation of 1.*microvolts taken for volts"),
    (np.where(np.arange(7500) == 9, np.nan, noise()), "trial 1: values of Fp1 are not finite"),
    ({"data": noise(10)}, "found a dict"),
    (noise().astype(complex), "of complex128"),
    (np.empty((28, 32, 0)), r"\(28, 32, 0\)"),
])
def test_wrong_pickles_are_refused(tmp_path, thing, message):
    save(tmp_path / "Processed_data" / "sub001.pkl", thing)
    with pytest.raises(DatasetError, match=f"(?s)sub001.pkl.*{message}"):
        faced.read(tmp_path)
    report = faced.check(tmp_path)
    assert not report.ok and any("sub001.pkl" in line for line in report.missing)


def test_a_description_allows_short_clips_only(tmp_path):
    save(tmp_path / "Processed_data" / "sub001.pkl", noise(500))
    (tmp_path / "DESCRIPTION.txt").write_text("simulated FACED cohort\n")
    assert faced.read(tmp_path).signals[0].shape == (30, 500)
    save(tmp_path / "Processed_data" / "sub001.pkl", noise(500)[:, :31])
    with pytest.raises(DatasetError, match=r"\(28, 31, 500\)"):
        faced.read(tmp_path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["BOMB"],)


def test_a_pickle_that_would_run_code_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "ran"))
    save(tmp_path / "Processed_data" / "sub000.pkl", Bomb())
    save(tmp_path / "EEG_Features" / "DE" / "sub000.pkl.pkl", [Bomb()])
    for form in ("raw", "features"):
        with pytest.raises(DatasetError, match="mkdir.*Nothing was run"):
            faced.read(tmp_path, form=form)
    assert not (tmp_path / "ran").exists()
    with (tmp_path / "Processed_data" / "sub000.pkl").open("rb") as file:
        pickle.load(file)
    assert (tmp_path / "ran").exists()  # so the test could have failed


@pytest.mark.parametrize("order, score, message", [
    (ORDER[:-1] + [11], 3, "each clip from 1 to 28 once"),
    (ORDER[:-1] + [29], 3, "from 0 to 28"),
    (ORDER, 6.5, "from 0 to 7"),
    (ORDER, np.nan, "from 0 to 7"),
])
def test_wrong_remarks_are_refused(tmp_path, order, score, message):
    save(tmp_path / "Processed_data" / "sub000.pkl", noise())
    save_remarks(tmp_path / "Data" / "sub000" / "After_remarks.mat", order, score)
    with pytest.raises(DatasetError, match=f"After_remarks.mat: .*{message}"):
        faced.read(tmp_path)


def test_remarks_of_another_kind_are_refused(tmp_path):
    save(tmp_path / "Processed_data" / "sub000.pkl", noise())
    path = tmp_path / "After_remarks" / "sub000" / "After_remarks.mat"
    path.parent.mkdir(parents=True)
    scipy.io.savemat(path, {"After_remark": np.zeros((28, 1))})
    with pytest.raises(DatasetError, match="expected After_remark to be a struct"):
        faced.read(tmp_path)


def test_people_and_names_are_checked(tmp_path, cohort):
    faced.write(cohort, tmp_path)
    (tmp_path / "Processed_data" / "notes.txt").write_text("mine")
    (tmp_path / "Processed_data" / "sub061.pkl").write_bytes(b"damaged")  # not opened
    one = faced.read(tmp_path, subjects=["sub008"])
    assert one.table["subject"].unique().tolist() == ["sub008"] and len(one) == 28
    with pytest.raises(DatasetError, match="sub100; there are sub008, sub061"):
        faced.read(tmp_path, subjects=["sub100"])
    for wrong in ({"form": "de"}, {"target": "joy"}, {"feature": "de"}):
        with pytest.raises(DatasetError, match="no (form|target|feature) is called"):
            faced.read(tmp_path, **wrong)
    with pytest.raises(DatasetError, match="EEG_Features/PSD/sub000.pkl.pkl"):
        faced.read(tmp_path, form="features", feature="PSD")
    assert "fault: " in "".join(faced.check(tmp_path).missing)


def test_features_are_not_taken_for_signals(tmp_path, cohort):
    faced.write(cohort, tmp_path, form="features")
    for root in (tmp_path, tmp_path / "EEG_Features", tmp_path / "EEG_Features" / "DE"):
        with pytest.raises(DatasetError, match="expected files of FACED"):
            faced.read(root)
        assert len(faced.read(root, form="features")) == 112


def test_bad_features_are_refused(tmp_path):
    for feature, value in (("DE", np.nan), ("DE", np.inf), ("PSD", -1.0), ("PSD", -np.inf)):
        values = np.ones((28, 32, 30, 5))
        values[2, 4] = value
        save(tmp_path / "EEG_Features" / feature / "sub000.pkl.pkl", values)
        with pytest.raises(DatasetError, match="sub000.pkl.pkl.*(not finite|not negative)"):
            faced.read(tmp_path, form="features", feature=feature)


def test_write_refuses_what_it_cannot_write(tmp_path, cohort):
    with pytest.raises(DatasetError, match="trials 1-28"):
        faced.write(cohort.select(cohort.table["trial"] < 28), tmp_path / "a")
    with pytest.raises(DatasetError, match="whole seconds, found for sub008 1.5 s"):
        faced.write(faced.simulate(1, n_seconds=1.5), tmp_path / "a", "features")
    assert not (tmp_path / "a").exists()
    save(tmp_path / "b" / "Processed_data" / "sub007.pkl", noise(10))
    with pytest.raises(DatasetError, match="holds other recordings .Processed_data/sub007.pkl"):
        faced.write(cohort, tmp_path / "b")
    save(tmp_path / "c" / "Processed_data" / "sub008.pkl", noise(10))
    for form in ("raw", "features", "bids"):  # DESCRIPTION.txt would make these files a simulated cohort's
        with pytest.raises(DatasetError, match="or replaced"):
            faced.write(cohort, tmp_path / "c", form)
    faced.write(cohort, tmp_path / "d")
    faced.write(cohort, tmp_path / "d", "features")
    faced.write(cohort, tmp_path / "d")


# ---- damaged files ----

def damaged(root, path, read):
    whole = path.read_bytes()

    @MUTATED
    @given(mutations(whole))
    def run(changed):
        path.write_bytes(changed)
        reads_or_refuses(read, path)

    run()
    path.write_bytes(whole)
    assert read() is not None


def test_damaged_files_are_read_or_refused(tmp_path):
    (tmp_path / "DESCRIPTION.txt").write_text("simulated\n")
    path = tmp_path / "Processed_data" / "sub000.pkl"
    save(path, noise(2))
    damaged(tmp_path, path, lambda: faced.read(tmp_path))
    path = tmp_path / "EEG_Features" / "DE" / "sub000.pkl.pkl"
    save(path, np.ones((28, 32, 1, 5)))
    damaged(tmp_path, path, lambda: faced.read(tmp_path, form="features"))
    path = tmp_path / "Data" / "sub000" / "After_remarks.mat"
    save_remarks(path)
    damaged(tmp_path, path, lambda: faced.read(tmp_path, form="features"))


# ---- what cannot be true, and what does not belong there ----

def test_copies_foreign_files_and_forms_are_told(tmp_path, cohort):
    faced.write(cohort, tmp_path)
    folder = tmp_path / "Processed_data"
    for name in ("sub099.pkl", "sub123.pkl"):
        (folder / name).write_bytes((folder / "sub061.pkl").read_bytes())
    (folder / "Thumbs.db").touch()
    (tmp_path / "holiday photo.jpg").touch()
    trials, report = faced.read(tmp_path), faced.check(tmp_path)
    assert trials.table["subject"].unique().tolist() == ["sub008", "sub061", "sub099"]
    said = "sub099 and sub061 hold the same signals: one of them is a copy"
    assert said in trials.decisions and f"raw: {said}" in report.missing and report.ok
    assert "raw: 3 other file(s) ignored: holiday photo.jpg, Thumbs.db, sub123.pkl" in report.decisions
    assert "forms that are here: raw" in report.found


def test_a_person_without_signal_is_refused(tmp_path):
    save(tmp_path / "Processed_data" / "sub001.pkl", np.zeros((28, 32, 7500)))
    with pytest.raises(DatasetError, match="sub001.pkl: every channel is flat"):
        faced.read(tmp_path)
    assert not faced.check(tmp_path).ok


def test_the_form_that_is_there_is_named(tmp_path, cohort):
    faced.write(cohort, tmp_path, form="features")
    with pytest.raises(DatasetError, match="Here is form='features'"):
        faced.read(tmp_path)
    report = faced.check(tmp_path)
    assert report.ok and "forms that are here: features (DE), features (PSD)" in report.found
