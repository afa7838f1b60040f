import numpy as np
import pandas as pd
import pytest
import scipy.signal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eegemo_utils.datasets import muse
from eegemo_utils.datasets.bird_features import bird_features
from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS
from eegemo_utils.simulate import SOURCES, lead_field, simulate_cohort, state_effects

STATES = ("negative", "neutral", "positive")


def log_power(trials, channel, low, high):
    row = trials.info["ch_names"].index(channel)
    values = []
    for signal in trials.signals:
        hz, power = scipy.signal.welch(signal[row], trials.info["sfreq"], nperseg=512)
        values.append(np.log(power[(hz >= low) & (hz <= high)].mean()))
    return pd.Series(values).groupby(trials.table["label"].to_numpy()).mean()


def test_table_and_names_say_what_it_is():
    trials = simulate_cohort(2, STATES, 3, 4.0)
    assert len(trials) == 18 and trials.description == "simulated Muse cohort"
    assert trials.info["ch_names"] == [*MUSE_CHANNELS, MUSE_AUX]
    assert trials.table.groupby(["subject", "label"]).size().tolist() == [3] * 6
    assert trials.table.groupby(["subject", "session"])["trial"].agg(sorted).tolist() == [[1, 2, 3]] * 6
    assert all(signal.shape == (5, 1024) for signal in trials.signals)
    steps = np.diff(np.round(trials.times[0] * 1000).astype(int))
    assert set(steps) == {3, 4}


def test_same_seed_same_cohort_and_people_do_not_depend_on_its_size():
    small, again, large = (simulate_cohort(n, STATES, 1, 2.0, random_state=7) for n in (1, 1, 2))
    assert small.fingerprint() == again.fingerprint()
    np.testing.assert_array_equal(small.signals[2], large.signals[2])
    other = simulate_cohort(1, STATES, 1, 2.0, random_state=8)
    assert np.abs(other.signals[0] - small.signals[0]).max() > 1


def test_effects_are_what_the_sources_table_says():
    effects = state_effects(STATES)
    valence, arousal = SOURCES["valence"].to_numpy(), SOURCES["arousal"].to_numpy()
    np.testing.assert_allclose(effects["negative"], arousal - valence)
    np.testing.assert_allclose(effects["neutral"], 0)
    np.testing.assert_allclose(effects["positive"], arousal + valence)
    np.testing.assert_allclose(state_effects(STATES, effect=0.5), effects / 2)
    assert (state_effects(["rest"]) == 0).all(axis=None)


def test_states_change_the_electrodes_near_their_sources():
    trials = simulate_cohort(6, STATES, 2, 8.0, random_state=1)
    left, right = log_power(trials, "AF7", 8, 12), log_power(trials, "AF8", 8, 12)
    asymmetry = right - left
    assert asymmetry["positive"] - asymmetry["negative"] > 1
    muscle = log_power(trials, "TP9", 35, 45)
    assert muscle["negative"] - muscle["neutral"] > 0.5


def test_without_effect_states_are_alike():
    trials = simulate_cohort(6, STATES, 2, 8.0, effect=0, random_state=1)
    asymmetry = log_power(trials, "AF8", 8, 12) - log_power(trials, "AF7", 8, 12)
    assert abs(asymmetry["positive"] - asymmetry["negative"]) < 0.5


def test_forward_model_knows_left_from_right_and_its_reference():
    field = pd.DataFrame(lead_field(MUSE_CHANNELS, "Fpz")[:, : len(SOURCES)], index=MUSE_CHANNELS,
                         columns=SOURCES["source"])
    assert field.loc["AF7", "left_frontal_alpha"] > 2 * abs(field.loc["AF8", "left_frontal_alpha"])
    assert field.loc["TP10", "right_temporal_muscle"] > 2 * abs(field.loc["TP9", "right_temporal_muscle"])
    # The same on every processor and with every MNE: a fitted head model is not.
    assert field.loc["AF7", "left_frontal_alpha"] == pytest.approx(0.088818360, rel=1e-6)
    assert field.loc["TP9", "left_temporal_muscle"] == pytest.approx(0.167347519, rel=1e-6)
    with_reference = lead_field(("Fpz", "Oz"), "Fpz")
    assert (with_reference[0] == 0).all() and (with_reference[1] != 0).any()
    np.testing.assert_allclose(lead_field(("Fz", "Cz", "Oz"), "average").mean(axis=0), 0, atol=1e-12)


def test_any_cap_can_be_simulated():
    names = ["Fp1", "AF3", "F3", "F7", "C3", "T7", "P3", "Pz", "O1", "Oz", "O2", "P4", "T8", "C4", "Fz", "Cz"]
    trials = simulate_cohort(1, ("low", "high"), 1, 3.0, ch_names=names, reference="average", sfreq=128.0)
    assert trials.info["ch_names"] == names and trials.description == "simulated 16-electrode cohort"
    assert all(np.isfinite(signal).all() for signal in trials.signals)


def test_written_as_muse_files_it_comes_back(tmp_path):
    trials = simulate_cohort(2, STATES, 2, 5.0, random_state=3)
    muse.write(trials, tmp_path)
    again = muse.read(tmp_path)
    columns = ["subject", "session", "trial", "label", "recording"]
    order = trials.table.sort_values("recording", kind="stable")
    pd.testing.assert_frame_equal(again.table[columns], order[columns].reset_index(drop=True))
    assert again.decisions == () and again.description == "simulated Muse cohort"
    np.testing.assert_allclose(again.signals[0], trials.signals[order.index[0]], atol=0.245)


def test_rows_at_random_score_higher_than_recordings_left_out():
    rows = bird_features(simulate_cohort(3, STATES, 2, 20.0, random_state=2), 988)
    label, session = rows.table["label"].to_numpy(), rows.table["session"].to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=100))
    half = np.random.default_rng(0).random(len(rows)) < 0.5

    def score(train):
        return model.fit(rows.X[train], label[train]).score(rows.X[~train], label[~train])

    at_random, by_recording = score(half), score(session == 1)
    assert at_random > 0.9
    assert 0.4 < by_recording < at_random - 0.1


@pytest.mark.parametrize("changes, message", [
    ({"n_subjects": 0}, "n_subjects=0"), ({"states": ("a", "a")}, "states"),
    ({"n_seconds": 0}, "n_seconds=0"),
    ({"ch_names": ["Right AUX"]}, "none of"), ({"reference": "nose"}, "nose"),
])
def test_impossible_cohorts_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        simulate_cohort(**({"n_seconds": 2.0, "n_subjects": 1} | changes))
