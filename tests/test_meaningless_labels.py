"""Labels without meaning belong to whole trials and keep their counts."""

import numpy as np
import pandas as pd
import pytest

from eegemo_utils.splits import Split, by_trial, meaningless_labels


@pytest.fixture
def table():
    rows = [(s, session, t, "abc"[t % 3]) for s in range(2) for session in (1, 2) for t in range(9)]
    table = pd.DataFrame(rows, columns=["subject", "session", "trial", "label"])
    return table.loc[table.index.repeat(4)].sample(frac=1, random_state=1).reset_index(drop=True)


def a_trial(table, values):
    return pd.Series(values).groupby([table.subject, table.session, table.trial])


def test_a_trial_keeps_one_label_and_all_are_dealt(table):
    drawn = meaningless_labels(table, table.label.to_numpy(), 0)
    assert a_trial(table, drawn).nunique().max() == 1
    assert sorted(drawn) == sorted(table.label)
    assert (drawn != table.label).mean() > 0.4


def test_within_sessions_the_counts_are_each_sessions_own(table):
    labels = np.where(table.session == 1, "x", table.label)
    drawn = meaningless_labels(table, labels, 0, within=["subject", "session"])
    assert (drawn[table.session == 1] == "x").all()
    assert "x" not in drawn[table.session == 2]
    assert "x" in meaningless_labels(table, labels, 0)[table.session == 2]


def test_a_seed_gives_the_same_and_a_generator_goes_on(table):
    labels, rng = table.label.to_numpy(), np.random.default_rng(3)
    first, second = (meaningless_labels(table, labels, rng) for _ in range(2))
    assert (first == meaningless_labels(table, labels, 3)).all()
    assert (first != second).any()


def test_trials_of_one_group_share_the_label(table):
    pairs = table.assign(group=table.trial // 3)
    labels = "g" + (pairs.group % 2).astype(str)
    drawn = meaningless_labels(pairs, labels.to_numpy(), 0)
    assert pd.Series(drawn).groupby([pairs.subject, pairs.session, pairs.group]).nunique().max() == 1


def test_every_fold_trains_on_every_class(table):
    one = table[(table.subject == 0) & (table.session == 1) & (table.trial < 6)].reset_index(drop=True)
    folds = by_trial(one, n_splits=2, val_fraction=0)
    for seed in range(30):
        drawn = meaningless_labels(one, one.label.to_numpy(), seed, folds=folds)
        assert all(set(drawn[fold.train]) == set("abc") for fold in folds)


def test_what_cannot_be_is_said(table):
    labels = table.label.to_numpy()
    with pytest.raises(ValueError, match=r"shape \(3,\).*144 rows"):
        meaningless_labels(table, labels[:3])
    torn = labels.copy()
    torn[5] = "z"
    with pytest.raises(ValueError, match="has two labels"):
        meaningless_labels(table, torn)
    with pytest.raises(ValueError, match="two values of half"):
        meaningless_labels(table.assign(half=np.arange(144) % 2), labels, within=["half"])
    rows = np.flatnonzero((table.trial == 0).to_numpy())
    lonely = Split("one class", "published", rows, [], np.flatnonzero((table.trial == 1).to_numpy()))
    small = table.assign(trial=table.trial.where(table.trial < 2, 1))
    with pytest.raises(ValueError, match="none gave every training part all 2 classes"):
        meaningless_labels(small, np.where(small.trial == 0, "a", "b"), within=["trial"], folds=[lonely])


def pairs(n_people):
    """A rest and a task for each person, four windows each."""
    rows = [(person, trial) for person in range(n_people) for trial in "rt" for _ in range(4)]
    return pd.DataFrame(rows, columns=["subject", "trial"])


def test_two_trials_a_person_are_neither_all_kept_nor_all_exchanged():
    few = pairs(4)
    for seed in range(40):
        drawn = meaningless_labels(few, few.trial.to_numpy(), seed, within=["subject"])
        assert (drawn == few.trial).mean() == 0.5, "with 1 or 3 of 4 people as they were, the truth can be learned"


def test_labels_that_cannot_lose_their_meaning_are_refused():
    for n_people, within in ((1, ["subject"]), (1, [])):
        one = pairs(n_people)
        with pytest.raises(ValueError, match=r"2 trials are too few .* within 0.25 of the 0.50"):
            meaningless_labels(one, one.trial.to_numpy(), 0, within=within)


def test_labels_that_have_no_other_order_are_returned():
    same = pairs(3).assign(label="x")
    assert (meaningless_labels(same, same.label.to_numpy(), 0) == "x").all()
