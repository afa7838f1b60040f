"""Protocols: the article's indices, no leaks, classes on every side."""

import dataclasses
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

from eegemo_utils.splits import (
    LeakError,
    Split,
    by_subject,
    by_trial,
    guard,
    leave_clips_out,
    leave_one_subject_out,
    random_split,
)


def windows(rows, n_windows=10):
    """One row a window of (subject, session, trial, label) trials, shuffled."""
    table = pd.DataFrame(rows, columns=["subject", "session", "trial", "label"])
    return table.loc[table.index.repeat(n_windows)].sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.fixture
def everyone_has_all():
    return windows([(s, 1, t, "abc"[t % 3]) for s in range(5) for t in range(9)])


@pytest.fixture
def one_class_each():
    """Eight recordings; each of four people has one class only."""
    return windows([(f"{c}{s}", 1, t, c) for c in ("p300", "tap") for s in (1, 2) for t in (1, 2)])


def trials(table, rows):
    return set(table.loc[rows, ["subject", "session", "trial"]].itertuples(index=False, name=None))


def test_random_split_is_the_articles():
    split = random_split(pd.DataFrame({"label": np.zeros(2132, int)}))
    assert (len(split.train), len(split.val), len(split.test)) == (1193, 299, 640)
    assert split.train[:5].tolist() == [993, 1851, 1253, 1228, 1461]
    assert split.val[-5:].tolist() == [1593, 1147, 1766, 1122, 1346]
    assert split.test[:5].tolist() == [1676, 1074, 1451, 1134, 912]
    assert split.protocol == "published"


@pytest.mark.parametrize("make", [by_trial, by_subject])
@pytest.mark.parametrize("cohort", ["everyone_has_all", "one_class_each"])
def test_honest_protocols_share_no_trial_and_lose_no_class(make, cohort, request):
    table = request.getfixturevalue(cohort)
    splits = make(table, **({"n_splits": 4} if make is by_trial else {}))
    for split in splits:
        parts = [trials(table, rows) for rows in (split.train, split.val, split.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == len(trials(table, table.index))
        for rows in (split.train, split.val, split.test):
            assert set(table.label[rows]) == set(table.label)
    tested = np.concatenate([split.test for split in splits])
    assert sorted(tested) == list(range(len(table)))


def test_by_subject_leaves_one_person_out_and_validates_on_another(everyone_has_all):
    table, splits = everyone_has_all, by_subject(everyone_has_all)
    assert len(splits) == 5
    for split in splits:
        (tested,), (checked,) = set(table.subject[split.test]), set(table.subject[split.val])
        assert split.name == f"subject {tested}" and checked != tested
        assert not {tested, checked} & set(table.subject[split.train])


def test_by_subject_deals_people_of_one_class_each_into_folds(one_class_each):
    table, splits = one_class_each, by_subject(one_class_each)
    assert len(splits) == 2
    for split in splits:
        assert table.subject[split.test].nunique() == 2  # one of each class
        # two people are left for training: their validation part is whole trials
        assert set(table.subject[split.val]) == set(table.subject[split.train])


def test_validation_has_about_the_asked_share(everyone_has_all):
    for split in by_trial(everyone_has_all, n_splits=5, val_fraction=0.25):
        assert len(split.val) / (len(split.val) + len(split.train)) == pytest.approx(0.25, abs=0.05)
    assert all(len(split.val) == 0 for split in by_trial(everyone_has_all, val_fraction=0))
    with pytest.raises(ValueError, match="val_fraction"):
        by_trial(everyone_has_all, val_fraction=1.5)


def test_splits_follow_the_columns_not_the_positions(everyone_has_all):
    table = everyone_has_all
    moved = table.sample(frac=1, random_state=3)  # another order, another index
    for one, other in zip(by_subject(table), by_subject(moved.reset_index(drop=True)), strict=False):
        assert set(table.subject[one.test]) <= set(range(5)) and len(one.test) == len(other.test)
    for one, other in zip(by_subject(moved), by_subject(moved.reset_index(drop=True)), strict=True):
        np.testing.assert_array_equal(one.test, other.test)


def test_random_state_repeats_and_differs(everyone_has_all):
    first, again, other = (by_trial(everyone_has_all, random_state=seed)[0].test for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_no_warning_about_rare_classes(one_class_each):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_trial(one_class_each, n_splits=4)


def test_guard_names_the_trial_on_both_sides(everyone_has_all):
    table = everyone_has_all
    split = by_trial(table)[0]
    moved = split.train[0]
    leak = Split("leaky", "by_trial", split.train[1:], split.val, np.append(split.test, moved))
    subject, session, trial = table.loc[moved, ["subject", "session", "trial"]]
    with pytest.raises(LeakError, match=f"1 trial.*subject {subject}, session {session}, trial {trial}"):
        guard(leak, table)
    guard(dataclasses.replace(leak, protocol="published"), table)


def test_guard_looks_at_validation_too(everyone_has_all):
    table = everyone_has_all
    split = by_trial(table)[0]
    for part in ("train", "test"):
        rows = getattr(split, part)
        leak = dataclasses.replace(split, val=np.append(split.val, rows[0]), **{part: rows[1:]})
        with pytest.raises(LeakError, match="validation"):
            guard(leak, table)


def test_guard_names_the_person_on_both_sides(everyone_has_all):
    split = dataclasses.replace(by_trial(everyone_has_all)[0], protocol="by_subject")
    with pytest.raises(LeakError, match="4 subject.*both.*subject 1; subject 2"):
        guard(split, everyone_has_all)


def test_equal_trial_numbers_of_two_people_are_two_trials():
    table = windows([(s, 1, 1, "ab"[s % 2]) for s in range(6)])
    by_trial(table, n_splits=3)
    with pytest.raises(LeakError):
        guard(by_trial(table, n_splits=3)[0], table.drop(columns="subject"))


def test_too_few_trials_are_counted_by_class():
    table = windows([(1, 1, 1, "calm"), (1, 1, 2, "sad"), (1, 1, 3, "sad")])
    with pytest.raises(ValueError, match="calm: 1, sad: 2.*What to do"):
        by_trial(table, n_splits=2)
    table = windows([(1, 1, t, "ab"[t % 2]) for t in range(4)])
    with pytest.raises(ValueError, match="no trial is left for validation.*What to do: record more trials"):
        by_trial(table, n_splits=2)
    assert len(by_trial(table, n_splits=2, val_fraction=0)) == 2
    with pytest.raises(ValueError, match="9 folds.*What to do: use fewer folds, or record more trials"):
        by_trial(table, n_splits=9)


@pytest.mark.parametrize(("make", "n_people", "n_trials"), [
    (by_trial, 1, 2), (partial(by_trial, n_splits=2), 1, 4), (by_subject, 1, 4),
    (partial(by_subject, n_splits=1), 1, 4), (leave_one_subject_out, 1, 4),
    (partial(leave_one_subject_out, val_fraction=0.2), 2, 2), (partial(leave_clips_out, n_splits=9), 1, 4),
    (partial(leave_clips_out, n_splits=2, val_fraction=0.2), 1, 4)])
def test_advice_holds_for_who_cannot_set_arguments_of_functions(make, n_people, n_trials):
    table = windows([(s, 1, t, "ab"[t % 2]) for s in range(n_people) for t in range(n_trials)])
    with pytest.raises(ValueError, match="by class: .*What to do: ") as error:
        make(table)
    assert "val_fraction" not in str(error.value) and "n_splits" not in str(error.value)


def test_one_person_is_too_few():
    table = windows([(1, 1, t, "ab"[t % 2]) for t in range(8)])
    with pytest.raises(ValueError, match="Subjects by class: a: 1, b: 1"):
        by_subject(table)
    table = windows([(s, 1, t, "b" if s else "a") for s in range(3) for t in range(3)])
    with pytest.raises(ValueError, match="a: 1, b: 2"):
        by_subject(table)


def test_missing_column_and_empty_cell_are_named(everyone_has_all):
    with pytest.raises(ValueError, match="'label'"):
        by_trial(everyone_has_all.drop(columns="label"))
    with pytest.raises(ValueError, match="'trial' is empty in 1 row.*first row 7"):
        by_trial(everyone_has_all.assign(trial=everyone_has_all.trial.where(everyone_has_all.index != 7)))


@pytest.mark.parametrize("change, message", [
    (dict(protocol="fair"), "protocol"), (dict(test=[]), "test part is empty"),
    (dict(test=[0, 3]), "more than one"),
    (dict(train=[1, 1]), "more than one"), (dict(train=[-1]), "negative"), (dict(train=[0.5]), "float"),
    (dict(train=np.array([True, False])), "bool")])
def test_a_split_is_checked(change, message):
    with pytest.raises(ValueError, match=message):
        Split(**dict(name="x", protocol="by_trial", train=[0, 1], val=[], test=[2]) | change)


def test_a_split_of_another_table_is_refused(everyone_has_all):
    with pytest.raises(ValueError, match="row 999"):
        guard(Split("x", "by_trial", [0], [], [999]), everyone_has_all)


# ---- groups: trials that must stay together ----

def grouped():
    """Three groups a person and class, two trials each."""
    table = windows([(s, 1, t, "ab"[t // 2 % 2]) for s in range(3) for t in range(12)], n_windows=3)
    return table.assign(group=table["trial"] // 2)


def test_trials_of_one_group_stay_together():
    table = grouped()
    for split in [*by_trial(table, 3), *by_subject(table)]:
        parts = [set(table.loc[rows, ["subject", "group"]].itertuples(index=False, name=None))
                 for rows in (split.train, split.val, split.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 18


def test_a_group_on_both_sides_is_refused():
    table = grouped()
    split = by_trial(table.drop(columns="group"), 3, random_state=1)[0]
    with pytest.raises(LeakError, match="group"):
        guard(split, table)
