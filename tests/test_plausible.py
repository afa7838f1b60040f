"""Signals that cannot be true: flat, in another unit, out of order, copied."""

import re

import numpy as np
import pytest

from eegemo_utils.datasets.plausible import Survey, few, fingerprint, remarks, same_signals
from eegemo_utils.trials import DatasetError

NAMES = ("Fp1", "Cz", "O1", "O2")


def noise(scale=10.0, seed=0, n_trials=3):
    return list(np.random.default_rng(seed).normal(0, scale, (n_trials, 4, 512)).astype(np.float32))


def test_sound_eeg_has_no_remarks():
    assert remarks(noise(), NAMES, "s01") == []


def test_flat_channels_are_named_with_their_trials():
    signals = noise()
    signals[1][1] = 4300.7
    assert remarks(signals, NAMES, "s01") == ["s01: flat, without any signal: Cz (1 of 3 trials)"]
    with pytest.raises(DatasetError, match="s01.dat: every channel is flat"):
        Survey(NAMES, 128).add("s01", [np.full((4, 9), 3.3, np.float32)], "s01.dat")


@pytest.mark.parametrize("scale, message", [(0.019, "0.019 microvolt.*times 1e3 "), (18691, "1.9e.04 .*times 1e-3 ")])
def test_other_units_are_told(scale, message):
    signals = noise(scale)
    signals[0][0] *= 1000  # one loose electrode hides nothing
    (said,) = remarks(signals, NAMES, "s01")
    assert re.search(message, said)


def test_the_same_signals_are_told_once_for_each_copy():
    digests = {name: fingerprint(noise(seed=seed)) for name, seed in (("a", 1), ("b", 2), ("c", 1), ("d", 1))}
    assert same_signals(digests) == ["c and a hold the same signals: one of them is a copy",
                                     "d and a hold the same signals: one of them is a copy"]


@pytest.mark.parametrize("names, message", [
    (NAMES, "alpha is strongest at O1, O2, .*expected at the back"),
    (("O1", "O2", "Fp1", "Fp2", "F3"), "strongest at Fp1, Fp2, F3 .NOT at the")])
def test_the_alpha_rhythm_shows_the_order(names, message):
    rng = np.random.default_rng(0)
    signal = rng.normal(4000, 0.1, (len(names), 512))  # with an amplifier's offset
    signal[2:] += np.outer(np.arange(len(names) - 2, 0, -1), 30 * np.sin(2 * np.pi * 10 * np.arange(512) / 128))
    survey = Survey(names, 128)
    survey.add("s01", [signal], "s01.dat")
    assert re.search(message, survey.alpha()[0])
    assert Survey(NAMES, 128).alpha() == []


def test_few_names_and_a_count():
    assert few("abc") == "a, b, c" and few("abcdefg", 5) == "a, b, c, d, e and 2 more"
