"""Definitions of notebooks/labram.ipynb: the audit, and the encoder that nobody trained beside the pretrained one."""

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from eegemo_utils.notebooks import notebook_path, read_metrics

RECORDINGS = np.repeat(np.arange(20), 5)


def test_what_the_bars_of_the_audit_cannot_tell_is_said(labram):
    table = pd.DataFrame([(s, 1, t) for s in "abc" for t in (1, 2)], columns=["subject", "session", "trial"])
    assert labram.what_to_mind(table, 0.5, 0.5) == []
    (line,) = labram.what_to_mind(table[table.trial == 1], 0.5, 0.5)
    assert line.startswith("Each of the 3 people has one recording")
    (line,) = labram.what_to_mind(table, 0.5, 0.746)
    assert line.startswith("74.6% of the published test windows")


def test_an_untrained_encoder_is_what_pretraining_starts_from(labram, small):
    torch.manual_seed(3)
    born = labram.MaskedModel(small, 16, labram.RECIPES["corrected"]).student.state_dict()
    encoder = labram.untrained_encoder(small, 16, labram.RECIPES["corrected"], 3)
    own = encoder.state_dict()
    assert own.keys() - born.keys() == {"fc_norm.weight", "fc_norm.bias"} and not encoder.training
    assert all(torch.equal(own[key], born[key]) for key in own.keys() & born.keys())
    other = labram.untrained_encoder(small, 16, labram.RECIPES["corrected"], 4).state_dict()
    assert not torch.equal(own["patch_embed.conv1.weight"], other["patch_embed.conv1.weight"])
    assert labram.untrained_encoder(small, 16, labram.RECIPES["official"], 3, spatial=False).spatial is False


def answers(*shares):
    """Right answers (n,) of 20 recordings of 5 windows: of each, as many windows as a share says."""
    shares = np.resize(shares, 20)
    return (np.tile(np.arange(5), 20) < np.repeat(5 * shares, 5) - 1e-9).astype(float)


def test_the_gain_is_paired_and_its_interval_is_students_over_recordings(labram):
    trained = answers(1.0, 0.4)
    assert labram.gain(trained, [trained, trained], RECORDINGS) == (0.0, 0.0, 0.0)
    found = labram.gain(trained, [answers(0.8, 0.2), answers(0.6, 0.0)], RECORDINGS)
    assert found == pytest.approx((0.3, 0.3, 0.3))  # the same gain in each recording: nothing is left to chance
    draws = [answers(0.4, 0.8), answers(0.6, 0.2, 1.0)]
    each = (trained - np.mean(draws, axis=0)).reshape(20, 5).mean(axis=1)
    interval = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert labram.gain(trained, draws, RECORDINGS) == pytest.approx((each.mean(), *interval))


def test_the_gain_is_the_difference_of_scores_where_recordings_are_of_other_lengths(labram):
    recordings = np.repeat([0, 1, 2], [80, 15, 5])
    trained, untrained = answers(1.0, 0.4), answers(0.4, 0.8)
    mean, low, high = labram.gain(trained, [untrained], recordings)
    assert mean == pytest.approx(trained.mean() - untrained.mean()) == pytest.approx((low + high) / 2)


@pytest.mark.parametrize("trained, untrained, verdict", [
    ((0.8,), [(0.4,), (0.6,)], "is ahead of"),
    ((0.2,), [(0.4,), (0.6,)], "is behind"),
    ((0.8, 0.2), [(0.2, 0.6), (0.4, 0.6)], "cannot be told from"),  # not over other recordings
    ((0.6,), [(0.2,), (0.8,), (0.2,)], "cannot be told from"),  # not over other random numbers
    ((0.4,), [(0.2,), (0.8,), (0.8,)], "cannot be told from"),
])  # fmt: skip
def test_pretraining_counts_only_beyond_recordings_and_draws(labram, trained, untrained, verdict):
    words = labram.gain_words("by_subject", answers(*trained), [answers(*each) for each in untrained], RECORDINGS)
    assert words.startswith("**by_subject: the pretrained encoder ") and verdict in words.partition(".**")[0]
    assert f"{np.mean(answers(*trained)):.1%} pretrained" in words and f"{len(untrained)} draws" in words


def cell_with(words):
    (source,) = [cell.source for cell in nbformat.read(notebook_path("labram"), 4).cells if words in cell.source]
    return source


def test_a_run_without_pretraining_says_so_and_has_no_second_bar(capsys):
    names = {"audit_here": True, "start": None, "bars": []}
    exec(cell_with("Nothing was pretrained in this run"), names)
    assert "Nothing was pretrained in this run" in capsys.readouterr().out
    assert names["bars"] == [] and "untrained" not in names


def test_the_stored_run_has_both_encoders():
    found = read_metrics(notebook_path("labram"))
    gain = found["accuracy_by_subject"] - found["accuracy_random_frozen_by_subject"]
    assert found["gain_of_pretraining"] == pytest.approx(gain, abs=1e-6)
    assert found["gain_of_pretraining_low"] <= gain <= found["gain_of_pretraining_high"]
    assert 0 <= found["accuracy_random_frozen_published"] <= 1
