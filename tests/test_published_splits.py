"""Published protocols on tables with the published lengths of clips: the papers' own counts, and no leaks."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from eegemo_utils import splits
from eegemo_utils.splits import LeakError, guard

# windows of each clip and labels, typed from the datasets' descriptions, not taken from the package
SEED = [235, 233, 206, 238, 185, 195, 237, 216, 265, 237, 235, 233, 235, 238, 206]
SEED_LABELS = [1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1]
SEED_IV = [
    [42, 23, 49, 32, 22, 40, 38, 52, 36, 42, 12, 27, 54, 42, 64, 35, 17, 44, 35, 12, 28, 28, 43, 34],
    [55, 25, 34, 36, 53, 27, 34, 46, 34, 20, 60, 12, 36, 27, 44, 15, 46, 49, 45, 10, 37, 44, 24, 19],
    [42, 32, 23, 45, 48, 26, 64, 23, 26, 16, 51, 41, 39, 19, 28, 44, 14, 17, 45, 22, 39, 38, 41, 39]]
SEED_IV_LABELS = [list(map(int, text.split())) for text in (
    "1 2 3 0 2 0 0 1 0 1 2 1 1 1 2 3 2 2 3 3 0 3 0 3", "2 1 3 0 0 2 0 2 3 3 2 3 2 0 1 1 2 1 0 3 0 1 3 1",
    "1 2 2 1 3 3 3 1 1 2 1 0 2 3 3 0 2 3 0 0 2 0 1 0")]
SEED_V = [[18, 24, 59, 46, 36, 64, 74, 17, 66, 35, 43, 43, 58, 60, 38],
          [59, 47, 16, 31, 32, 14, 60, 57, 30, 24, 46, 29, 23, 54, 19],
          [72, 16, 41, 22, 13, 59, 21, 18, 57, 71, 55, 29, 51, 32, 44]]
MPED = [2, 1, 4, 3, 5, 6, 7, 1, 2, 3, 6, 7, 4, 5, 1, 5, 6, 2, 2, 1, 7, 6, 4, 4, 3, 5, 3, 7]  # without the two of rest
MPED_TRIALS = [*range(2, 16), *range(17, 31)]
FACED = np.repeat(range(9), [3, 3, 3, 3, 4, 3, 3, 3, 3])


def table_of(trials, seed=0):
    """One row a window of (subject, session, trial, label, number of windows), shuffled."""
    table = pd.DataFrame(trials, columns=["subject", "session", "trial", "label", "n"])
    table = table.loc[table.index.repeat(table.pop("n"))]
    table["window"] = table.groupby(["subject", "session", "trial"]).cumcount()
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def clips_of(people, sessions, lengths, labels):
    return table_of([(str(person), session, trial, label, n) for person in people for session in sessions
                     for trial, label, n in zip(range(1, 99), labels[session - 1], lengths[session - 1])])


@pytest.fixture(scope="module")
def seed():
    return clips_of([1, 2, 10], [1, 2, 3], [SEED] * 3, [SEED_LABELS] * 3)


@pytest.fixture(scope="module")
def seed_iv():
    return clips_of([3], [1, 2, 3], SEED_IV, SEED_IV_LABELS)


@pytest.fixture(scope="module")
def faced():
    return table_of([(f"sub{person:03d}", 1, clip + 1, FACED[clip], 3) for person in range(123) for clip in range(28)])


def sizes(made):
    return [(len(split.train), len(split.test)) for split in made]


def trials(table, rows):
    return set(table.loc[rows, ["subject", "session", "trial"]].itertuples(index=False, name=None))


# ---- by the number of the trial ----

def test_seed_first_nine_of_fifteen(seed):
    made = splits.first_trials(seed, 9)
    assert sizes(made) == [(2010, 1384)] * 9
    assert [split.name for split in made][::3] == [f"subject {person}, session 1" for person in (1, 2, 10)]
    assert {split.protocol for split in made} == {"by_trial"}
    first = made[1]  # person 1, session 2
    assert seed.loc[first.train, "label"].value_counts().to_dict() == {-1: 681, 0: 634, 1: 695}
    assert seed.loc[first.test, "label"].value_counts().to_dict() == {-1: 439, 0: 470, 1: 475}
    assert trials(seed, first.test) == {("1", 2, number) for number in range(10, 16)}
    assert all(len(split.val) == 0 for split in made)


def test_seed_iv_by_time(seed_iv):
    made = splits.first_trials(seed_iv, 16)
    assert sizes(made) == [(610, 241), (558, 274), (567, 255)]
    assert set(seed_iv.loc[made[0].test, "label"]) == {0, 2, 3}  # no sad one


def test_seed_iv_last_two_of_each_class(seed_iv):
    made = splits.last_of_each_class(seed_iv, 2)
    assert sizes(made) == [(561, 290), (571, 261), (555, 267)]
    assert [{number for _, _, number in trials(seed_iv, split.test)} for split in made] == [
        {13, 14, 17, 18, 21, 22, 23, 24}, {13, 17, 19, 20, 21, 22, 23, 24}, {11, 15, 17, 18, 21, 22, 23, 24}]


def test_mped_last_of_each_class():
    table = table_of([("1", 1, trial, label, 5) for trial, label in zip(MPED_TRIALS, MPED, strict=True)])
    (made,) = splits.last_of_each_class(table, 1)
    assert {number - 1 for _, _, number in trials(table, made.test)} == {20, 21, 23, 25, 27, 28, 29}
    assert sizes([made]) == [(21 * 5, 7 * 5)]
    assert table.loc[made.train].groupby("label")["trial"].nunique().tolist() == [3] * 7


@pytest.mark.parametrize("make", [lambda table, share: splits.first_trials(table, 9, share),
                                  lambda table, share: splits.last_of_each_class(table, 2, share),
                                  lambda table, share: splits.leave_one_subject_out(table, share)])
def test_validation_is_whole_training_trials(seed, make):
    plain, held = make(seed, 0.0), make(seed, 0.25)
    for one, other in zip(plain, held, strict=True):
        np.testing.assert_array_equal(one.test, other.test)
        np.testing.assert_array_equal(one.train, np.sort(np.concatenate([other.train, other.val])))
        assert not trials(seed, other.train) & trials(seed, other.val)
        assert 0.1 < len(other.val) / len(one.train) < 0.5 and set(seed.loc[other.val, "label"]) == {-1, 0, 1}


@pytest.mark.slow
def test_splits_follow_the_columns_not_the_positions(seed):
    order = np.random.default_rng(5).permutation(len(seed))
    moved = seed.iloc[order].reset_index(drop=True)
    for make in (lambda table: splits.first_trials(table, 9, 0.3),
                 lambda table: splits.last_of_each_class(table, 1, 0.3), splits.block_folds,
                 lambda table: splits.leave_clips_out(table, 3, 2, val_fraction=0.3), splits.leave_one_subject_out):
        for one, other in zip(make(seed), make(moved), strict=True):
            for part in ("train", "val", "test"):
                np.testing.assert_array_equal(np.sort(order[getattr(other, part)]), getattr(one, part))


def test_recordings_that_are_too_short_are_named(seed):
    few = seed[(seed["trial"] < 9) | (seed["subject"] != "2")].reset_index(drop=True)
    with pytest.raises(ValueError, match=r"subject 2, session 1: none of the 8 trial\(s\) for the test"):
        splits.first_trials(few, 9)
    with pytest.raises(ValueError, match="subject 1, session 1: all of the 15"):
        splits.last_of_each_class(seed, 5)
    with pytest.raises(ValueError, match="no column 'session'"):
        splits.first_trials(seed.drop(columns="session"), 9)
    one_each = seed[seed["trial"].isin([1, 2, 3, 6, 8, 11])].reset_index(drop=True)
    with pytest.raises(ValueError, match="no trial is left for validation"):
        splits.first_trials(one_each, 3, 0.2)


# ---- blocks ----

def test_seed_v_blocks():
    labels = [[4, 1, 3, 2, 0] * 3, *[[2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0]] * 2]
    table = clips_of([1, 2], [1, 2, 3], SEED_V, labels)
    assert len(table) == 2 * 1823
    made = splits.block_folds(table)
    blocks = [2 * sum(sum(session[first:first + 5]) for session in SEED_V) for first in (0, 5, 10)]
    assert [(len(one.train), len(one.val), len(one.test)) for one in made] == [
        (blocks[1], blocks[2], blocks[0]), (blocks[2], blocks[0], blocks[1]), (blocks[0], blocks[1], blocks[2])]
    last = made[-1]
    assert [set(table.loc[rows, "trial"]) for rows in (last.train, last.val, last.test)] == [
        {1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, {11, 12, 13, 14, 15}]
    assert last.protocol == "by_trial"
    with pytest.raises(ValueError, match="found 4 blocks for 15 trials"):
        splits.block_folds(table, 4)
    with pytest.raises(ValueError, match="at least 3 blocks"):
        splits.block_folds(table, 1)


def test_seed_v_seconds_are_cbramod_s():
    lengths = {1: [72, 96, 237, 187, 147, 258, 297, 69, 264, 141, 174, 172, 234, 240, 155]}
    assert sum(lengths[1]) == 2743
    table = table_of([("1", 1, trial, 0, n) for trial, n in enumerate(lengths[1], 1)])
    assert sizes(splits.block_folds(table))[2] == (739, 975)


# ---- people ----

@pytest.mark.slow
def test_seed_leave_one_subject_out():
    table = clips_of(range(1, 16), [1, 2, 3], [SEED] * 3, [SEED_LABELS] * 3)
    assert len(table) == 152730
    made = splits.leave_one_subject_out(table)
    assert sizes(made) == [(142548, 10182)] * 15
    assert [split.name for split in made] == [f"subject {number}" for number in range(1, 16)]
    assert {split.protocol for split in made} == {"by_subject"}
    first = table[table["session"] == 1].reset_index(drop=True)
    assert sizes(splits.leave_one_subject_out(first)) == [(47516, 3394)] * 15
    with pytest.raises(ValueError, match="leaving one person out needs two"):
        splits.leave_one_subject_out(table[table["subject"] == "1"])


def test_one_class_people_can_be_left_out():
    table = table_of([(f"p{person}", 1, trial, "ab"[person % 2], 4) for person in range(4) for trial in range(1, 4)])
    assert [set(table.loc[split.test, "subject"]) for split in splits.leave_one_subject_out(table)] == [
        {"p0"}, {"p1"}, {"p2"}, {"p3"}]


def test_faced_cbramod(faced):
    (made,) = splits.people_parts(faced)
    assert [len(rows) for rows in (made.train, made.val, made.test)] == [6720, 1680, 1932]
    assert made.protocol == "by_subject"
    assert set(faced.loc[made.val, "subject"]) == {f"sub{person:03d}" for person in range(80, 100)}


@pytest.mark.slow
def test_faced_official_folds():
    table = table_of([(f"sub{person:03d}", 1, clip + 1, FACED[clip], 30) for person in range(123)
                      for clip in range(28)])
    assert len(table) == 123 * 840
    made = splits.people_folds(table)
    assert [len(split.test) for split in made] == [12 * 840] * 9 + [15 * 840]
    assert set(table.loc[made[-1].test, "subject"]) == {f"sub{person}" for person in range(108, 123)}
    assert set(table.loc[made[0].test, "subject"]) == {f"sub{person:03d}" for person in range(12)}
    assert sorted(np.concatenate([split.test for split in made])) == list(range(len(table)))


def test_faced_leave_clips_out(faced):
    made = splits.leave_clips_out(faced)
    assert [split.protocol for split in made] == ["by_trial"] * 3
    assert set(faced.loc[made[2].test, "trial"]) == {3, 6, 9, 12, 15, 19, 22, 25, 28}
    assert set(faced.loc[made[0].test, "trial"]) == {1, 4, 7, 10, 13, 16, 17, 20, 23, 26}
    for split in made:
        assert not set(faced.loc[split.train, "trial"]) & set(faced.loc[split.test, "trial"])
        assert set(faced.loc[split.train, "label"]) == set(faced.loc[split.test, "label"]) == set(range(9))
    assert sizes(made) == [(18 * 123 * 3, 10 * 123 * 3), (19 * 123 * 3, 9 * 123 * 3), (19 * 123 * 3, 9 * 123 * 3)]
    held = splits.leave_clips_out(faced, val_fraction=0.3)[2]
    parts = [set(faced.loc[rows, "trial"]) for rows in (held.train, held.val, held.test)]
    assert sum(map(len, parts)) == 28 == len(set().union(*parts)) and parts[1]
    with pytest.raises(ValueError, match="4 folds need 4 clips of each class"):
        splits.leave_clips_out(faced, 4)


def test_faced_leave_clips_and_people_out(faced):
    made = splits.leave_clips_out(faced, n_people=2)
    assert len(made) == 6 and {split.protocol for split in made} == {"by_subject"}
    for split in made:
        for column in ("trial", "subject"):
            assert not set(faced.loc[split.train, column]) & set(faced.loc[split.test, column])
    assert made[0].name == "clips 1/3, people 1/2"
    with pytest.raises(ValueError, match="2 to 123 folds of 123 people"):
        splits.leave_clips_out(faced, n_people=124)


def test_eegmat_cbramod():
    rest = {4: 170, 10: 188, 31: 80}
    table = table_of([(f"Subject{person:02d}", 1, state, state, n // 5) for person in range(36)
                      for state, n in ((1, rest.get(person, 182)), (2, 62))])
    (made,) = splits.people_parts(table, splits.EEGMAT_CBRAMOD)
    assert [len(rows) for rows in (made.train, made.val, made.test)] == [1343, 172, 192]
    assert table.loc[made.test, "label"].value_counts().to_dict() == {1: 144, 2: 48}


def test_lists_that_do_not_fit_are_refused(faced):
    small = faced[faced["subject"] < "sub085"].reset_index(drop=True)
    with pytest.raises(ValueError, match="this table has 80, 5, 0 of them, 85 people in all.*whole dataset"):
        splits.people_parts(small)
    with pytest.raises(ValueError, match=r"people in no fold: \[9\]"):
        splits.people_folds(table_of([(str(n), 1, 1, 0, 2) for n in range(10)]), [range(4), range(4, 9)])
    with pytest.raises(ValueError, match=r"folds with people: \[1\]"):
        splits.people_folds(table_of([(str(n), 1, 1, 0, 2) for n in range(10)]))
    with pytest.raises(ValueError, match="number of their own in the name; .'ann'."):
        splits.people_parts(table_of([("ann", 1, 1, 0, 2), ("bob", 1, 1, 0, 2)]))
    with pytest.raises(ValueError, match="two names share one"):
        splits.people_parts(table_of([("a1", 1, 1, 0, 2), ("b1", 1, 1, 0, 2)]))
    assert sizes(splits.people_folds(small))[-1] == (84 * 84, 84)  # the fold of which one person is there


# ---- an official evaluation part ----

def corpus(n_train=60, n_eval=10):
    """People with two recordings; of every fifth one recording is abnormal and the other is not."""
    rows = [(f"aaaaa{chr(97 + n // 26)}{chr(97 + n % 26)}", 1, trial,
             "abnormal" if n % 2 or (n % 5 == 0 and trial == 2) else "normal", 20)
            for n in range(n_train + n_eval) for trial in (1, 2)]
    table = table_of(rows)
    return table.assign(part=np.where(table["subject"] <= rows[2 * n_train - 1][0], "train", "eval"))


def test_official_evaluation_and_validation_by_people():
    table = corpus()
    (made,) = splits.official_evaluation(table)
    assert set(made.test) == set(np.flatnonzero(table["part"] == "eval")) and made.protocol == "by_subject"
    fitted, checked = (set(table.loc[rows, "subject"]) for rows in (made.train, made.val))
    assert not fitted & checked and len(fitted | checked) == 60
    for label in ("normal", "abnormal"):
        share = (table.loc[made.val, "label"] == label).sum() / (table.query("part == 'train'")["label"] == label).sum()
        assert share == pytest.approx(0.2, abs=0.06)
    other = splits.official_evaluation(table, random_state=1)[0]
    assert set(other.val) != set(made.val)
    with pytest.raises(ValueError, match="column 'part': expected train and eval, found train"):
        splits.official_evaluation(table[table["part"] == "train"])
    leak = table.assign(subject=table["subject"].where(table["part"] == "train", "aaaaaaa"))
    with pytest.raises(LeakError, match="aaaaaaa"):
        splits.official_evaluation(leak)


@pytest.mark.slow
def test_validation_people_are_the_same_in_every_process():
    code = ("import sys; sys.path.insert(0, 'tests'); from test_published_splits import corpus; "
            "from eegemo_utils import splits; t = corpus(); "
            "print(sorted(set(t.loc[splits.official_evaluation(t)[0].val, 'subject'])))")
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path)),
                                "OMP_NUM_THREADS": "1"}).stdout for seed in ("1", "2")}
    assert len(said) == 1 and "aaaaa" in said.pop()


# ---- windows ----

def test_folds_over_windows(seed):
    made = splits.window_folds(seed, 5, random_state=7)
    assert {split.protocol for split in made} == {"published"} and len(made) == 5
    assert sorted(np.concatenate([split.test for split in made])) == list(range(len(seed)))
    for split in made:
        assert len(split.test) / len(seed) == pytest.approx(0.2, abs=1e-3) and len(split.val) == 0
        assert trials(seed, split.train) == trials(seed, split.test)  # the leak it is published with
        shares = seed.loc[split.test, "label"].value_counts(normalize=True)
        np.testing.assert_allclose(shares, seed["label"].value_counts(normalize=True)[shares.index], atol=1e-3)
    guard(made[0], seed)


def test_ten_folds_in_each_person_with_validation(seed):
    made = splits.window_folds(seed, 10, each_subject=True, validate=True, stratify=None)
    assert len(made) == 30 and made[10].name == "subject 2, windows 1/10"
    for split in made:
        n_windows = len(split.train) + len(split.val) + len(split.test)
        assert n_windows == 10182 and len(split.val) / n_windows == pytest.approx(0.1, abs=1e-3)
        rows = np.concatenate([split.train, split.val, split.test])
        assert seed.loc[rows, "subject"].nunique() == 1
    assert sorted(np.concatenate([split.test for split in made])) == list(range(len(seed)))


def test_mt_cnn_s_folds_of_deap():
    table = table_of([(f"s{person:02d}", 1, trial, "ab"[trial % 2], 120) for person in range(1, 33)
                      for trial in range(1, 41)])
    assert sizes(splits.window_folds(table, 5, random_state=7)) == [(122880, 30720)] * 5


def test_faced_within_people():
    table = table_of([("sub000", 1, clip + 1, FACED[clip], 30) for clip in range(28)])
    made = splits.segment_folds(table)
    assert sizes(made) == [(756, 84)] * 10 and {split.protocol for split in made} == {"published"}
    for k, split in enumerate(made):
        assert set(table.loc[split.test, "window"]) == {3 * k, 3 * k + 1, 3 * k + 2}
        assert trials(table, split.train) == trials(table, split.test)
    with pytest.raises(ValueError, match="got n_splits=31, 30 windows in subject sub000, session 1, trial"):
        splits.segment_folds(table, 31)
    uneven = table_of([("a", 1, trial, 0, n) for trial, n in ((1, 7), (2, 12))])
    made = splits.segment_folds(uneven, 5)
    assert sorted(np.concatenate([split.test for split in made])) == list(range(19))
    assert all({1, 2} == set(uneven.loc[split.test, "trial"]) for split in made)


def test_folds_over_trials_and_people(seed, faced):
    small = faced[faced["subject"] < "sub020"].reset_index(drop=True)
    for n_splits in (5, 10):
        people = splits.by_subject(small, n_splits)
        assert len(people) == n_splits and {len(set(small.loc[s.test, "subject"])) for s in people} == {20 // n_splits}
    over_trials = splits.by_trial(seed, 10)
    assert len(over_trials) == 10 and all(not trials(seed, s.train) & trials(seed, s.test) for s in over_trials)
