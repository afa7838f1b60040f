"""Definitions of notebooks/gmss.ipynb: the paper's counts, equality with independent implementations, permutations."""

import copy
import itertools
import math

import mne
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy import stats
from torch import nn
from torch_geometric.nn import ChebConv

from eegemo_utils import datasets, splits, training
from eegemo_utils.montage import SEED_62, make_info, seed_graph
from eegemo_utils.notebooks import (
    ParameterError,
    cast_parameters,
    check_parameters,
    load_definitions,
    notebook_path,
    read_parameters,
)
from eegemo_utils.trials import DatasetError

SETTINGS = notebook_path("gmss").parent / "settings" / "gmss"


@pytest.fixture(scope="module")
def gmss():
    return load_definitions("gmss")


@pytest.fixture(scope="module")
def released(gmss):
    return gmss.choose_permutations(10, 128)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_are_the_papers(gmss):
    extractor = gmss.ChebExtractor(seed_graph(), 62)
    joint = gmss.GMSS(extractor, 62, 3)
    assert count(extractor) == 352
    assert {name: count(head) for name, head in joint.heads.items()} == {
        "frequency": 1_180_024, "spatial": 1_182_080, "projection": 1_182_080, "emotion": 1_149_955}
    assert count(joint) == 4_694_491
    assert count(gmss.GMSS(extractor, 62, None)) == 3_544_536
    assert count(gmss.Probe(nn.Identity(), 1984, 3)) == 5_955


@pytest.mark.parametrize("order", range(1, 11))
def test_extractor_equals_cheb_conv_with_gradients(gmss, order):
    torch.manual_seed(order)
    extractor, conv = gmss.ChebExtractor(seed_graph(), 62, order=order), ChebConv(5, 32, K=order)
    with torch.no_grad():
        extractor.bias.normal_()
        conv.bias.copy_(extractor.bias)
        for tap, weight in zip(conv.lins, extractor.weight):
            tap.weight.copy_(weight.T)
    edges = torch.as_tensor(np.concatenate([seed_graph(), seed_graph()[:, ::-1]]).T.copy())
    x = torch.randn(3, 62, 5)
    expected = torch.stack([conv(window, edges).relu() for window in x])
    torch.testing.assert_close(extractor(x), expected, atol=1e-5, rtol=1e-5)
    extractor(x).square().mean().backward()
    expected.square().mean().backward()
    taps = torch.stack([tap.weight.grad.T for tap in conv.lins])
    torch.testing.assert_close(extractor.weight.grad, taps, atol=1e-5, rtol=1e-4)


def test_extractor_starts_as_cheb_conv_does(gmss):
    weight = gmss.ChebExtractor(seed_graph(), 62).weight
    limit = math.sqrt(6 / (5 + 32))
    assert weight.abs().max() <= limit and weight.abs().max() > 0.9 * limit


def test_a_graph_of_another_cap_is_refused(gmss):
    with pytest.raises(ValueError, match="graph joins electrodes 0 to 61, the windows have 30: make the graph"):
        gmss.ChebExtractor(seed_graph(), 30)
    with pytest.raises(ValueError, match="at least one tap; order is 0"):
        gmss.ChebExtractor(seed_graph(), 62, order=0)


def test_graphs_of_any_cap_are_connected(gmss):
    cap = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
    edges = gmss.make_graph(make_info(cap, 128.0))
    reach = np.eye(14, dtype=bool)
    for i, j in list(map(tuple, edges)) * 14:
        reach[i] |= reach[j]
        reach[j] |= reach[i]
    assert reach.all() and (np.bincount(edges.ravel(), minlength=14) >= 3).all()
    assert np.array_equal(gmss.make_graph(make_info(SEED_62, 200.0)), seed_graph())


def test_regions_partition_and_differ_in_five_electrodes(gmss):
    table, code = (gmss.find_regions(SEED_62, text) for text in (gmss.REGIONS, gmss.CODE_REGIONS))
    for regions in (table, code):
        assert sorted(np.concatenate(regions)) == list(range(62)) and len(regions) == 10
    assert code[3].tolist() == [41, 42, 43, 50, 51, 60] and code[6].tolist() == [52, 53, 54, 57, 58, 59]
    assert table[5].tolist() == [26, 27, 28, 35, 36, 37, 44, 45, 46] and table[7].tolist() == [41, 42, 43, 50, 51, 57]
    assert [len(gmss.find_regions(cap, gmss.REGIONS)) for cap in (["Fp1", "Cz", "O2"], ["T3", "T7"][:1])] == [3, 1]
    with pytest.raises(ValueError, match="no position for A7Z: rename or drop"):
        gmss.find_regions(["Fp1", "A7Z"], gmss.REGIONS)


def test_permutation_set_is_the_released_file(gmss, released):
    assert gmss.npy_sha256(released) == gmss.RELEASED_SHA256
    assert released[0].tolist() == [6, 4, 0, 9, 7, 2, 5, 8, 1, 3] and released[1].tolist() == list(range(10))
    distances = gmss.hamming(released)
    assert np.bincount(distances).tolist() == [0, 0, 0, 0, 10, 24, 137, 597, 1139, 2763, 3458]
    counts = [(released[:, place] == symbol).sum() for place in range(10) for symbol in range(10)]
    assert set(counts) == {12, 13} and len(np.unique(released, axis=0)) == 128


def test_second_set_is_further_apart(gmss):
    rows = gmss.choose_permutations(10, 128, at_least=7)
    distances = gmss.hamming(rows)
    assert distances.min() == 7 and distances.mean() == pytest.approx(9.06988, abs=1e-5)
    assert rows[1].tolist() == list(range(10)) and len(np.unique(rows, axis=0)) == 128


def test_fewer_permutations_where_there_are_no_more(gmss):
    assert len(gmss.choose_permutations(3, 128)) == 6 and len(gmss.choose_permutations(1, 128)) == 1
    apart = gmss.choose_permutations(5, 128, at_least=5)
    assert len(apart) == 5 and (gmss.hamming(apart) == 5).all()


def test_all_permutations_are_lexicographic(gmss):
    for n in (1, 3, 5):
        assert gmss.all_permutations(n).tolist() == [list(p) for p in itertools.permutations(range(n))]


def test_spatial_table_keeps_what_the_code_keeps(gmss, released):
    table = gmss.spatial_table(gmss.find_regions(SEED_62, gmss.CODE_REGIONS), released)
    stay = (table == torch.arange(62)).sum(1)
    assert table.shape == (128, 62) and (table.sort(1).values == torch.arange(62)).all()
    assert stay[1] == 9 and stay.min() == 0 and stay.max() == 14 and stay.float().mean() == pytest.approx(1.5, abs=0.1)


def test_shuffles_are_the_released_stacks(gmss, released):
    """Region after region, band after band, one window at a time."""
    regions = gmss.find_regions(SEED_62, gmss.REGIONS)
    rows, bands = gmss.spatial_table(regions, released), gmss.frequency_table(5)
    x, i, j = torch.randn(4, 62, 5), torch.tensor([0, 1, 77, 127]), torch.tensor([0, 1, 60, 119])
    shuffled = gmss.shuffle_bands(gmss.shuffle_regions(x, rows, i), bands, j)
    for k in range(4):
        window = np.concatenate([x[k].numpy()[regions[r]] for r in released[i[k]]])
        expected = window[:, list(list(itertools.permutations(range(5)))[j[k]])]
        np.testing.assert_array_equal(shuffled[k], expected)
    assert len(bands) == 120 and bands[0].tolist() == list(range(5))


def plain_contrastive(one, two, n_views, temperature):
    z = [v / np.linalg.norm(v) for v in np.concatenate([one, two])]
    sample = [k // n_views for k in range(len(one))] * 2
    losses = []
    for a in range(len(z)):
        near = {b: math.exp(z[a] @ z[b] / temperature) for b in range(len(z)) if b != a}
        losses.append(-math.log(sum(v for b, v in near.items() if sample[b] == sample[a]) / sum(near.values())))
    return np.mean(losses)


def plain_released(one, two, temperature):
    """Row by row from the formula: block-wise cyclic shifts, ten terms, both anchors, factor 2."""
    one, two = ([v / np.linalg.norm(v) for v in part] for part in (one, two))

    def near(a, b):
        return math.exp(a @ b / temperature)

    z, losses = [*one, *two], []
    for a in range(len(z)):
        i = a % len(one)
        total = near(one[i], two[i])
        for step in (1, 2, 3):
            turned = i - i % 4 + (i % 4 - step) % 4
            total += near(one[i], one[turned]) + near(two[i], one[turned]) + near(two[i], two[turned])
        losses.append(-math.log(total / sum(near(z[a], z[b]) for b in range(len(z)) if b != a)))
    return 2 * np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_contrastive_losses_equal_loops(gmss, temperature):
    one, two = torch.randn(2, 12, 6)
    loss = gmss.contrastive_loss(one, two, 4, temperature).item()
    assert loss == pytest.approx(plain_contrastive(one.numpy(), two.numpy(), 4, temperature), rel=1e-5)
    coded = gmss.released_contrastive_loss(one, two, temperature).item()
    assert coded == pytest.approx(plain_released(one.numpy(), two.numpy(), temperature), rel=1e-5)


def test_contrastive_values(gmss):
    torch.manual_seed(0)
    alike = torch.ones(256, 128)
    assert gmss.contrastive_loss(alike, alike, 4, 0.5).item() == pytest.approx(-math.log(7 / 511), abs=1e-4)
    assert gmss.released_contrastive_loss(alike, alike, 0.5).item() == pytest.approx(-2 * math.log(10 / 511), abs=1e-3)
    apart = torch.randn(2, 256, 128)
    assert gmss.contrastive_loss(*apart, 4, 0.5).item() == pytest.approx(4.29, abs=0.02)
    assert gmss.released_contrastive_loss(*apart, 0.5).item() == pytest.approx(7.87, abs=0.02)
    grouped = torch.randn(64, 128).repeat_interleave(4, dim=0)
    assert gmss.contrastive_loss(grouped, grouped, 4, 0.5).item() == pytest.approx(2.39, abs=0.02)
    merged = gmss.released_contrastive_loss(grouped, grouped, 0.5).item()
    each = torch.randn(256, 128)
    assert merged == pytest.approx(4.06, abs=0.02)
    assert gmss.released_contrastive_loss(each, each, 0.5).item() == pytest.approx(6.92, abs=0.02)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        gmss.contrastive_loss(each, each, 4, 0.0)


def test_contrastive_levels_are_those_of_the_loss(gmss):
    levels = gmss.contrastive_levels(64, 4, 0.5)
    assert levels["all views alike"] == pytest.approx(4.29, abs=0.01)
    assert levels["perfect grouping"] == pytest.approx(2.39, abs=0.01)


def test_released_loss_takes_an_incomplete_block(gmss):
    assert torch.isfinite(gmss.released_contrastive_loss(*torch.randn(2, 10, 6), 0.5))


def test_lossy_shuffle_loses_half(gmss):
    for seed in range(3):
        left = gmss.lossy_shuffle(2010, seed)
        assert 0.45 < len(set(left.tolist())) / 2010 < 0.55 and left.shape == (2010,)


N_CHANS, N_BANDS = 62, 5


@pytest.fixture
def exp(gmss):
    torch.manual_seed(0)
    X = torch.randn(96, N_CHANS, N_BANDS) + 1.5 * nn.functional.one_hot(torch.arange(96) % 3, 5)[:, None]
    orders = gmss.choose_permutations(5, 128)
    regions = [np.arange(62)[k::5] for k in range(5)]
    table = gmss.spatial_table(regions, orders)
    return gmss.Experiment(
        X=X, y=(np.arange(96) % 3), edges=seed_graph(), bands=gmss.frequency_table(5),
        regions={"corrected": table, "official": table.flip(1)}, n_outputs=3, zscore=True, epochs=3, probe_epochs=3,
        batch_size=16, learning_rate=0.005, weight_decay=8e-5, n_filters=4, order=2, n_hidden=16, n_views=4,
        temperature=0.5, at_once=45, precision="float32")


def fold(name="subject 1, session 1", first=0):
    rows = np.arange(first, first + 48)
    return splits.Split(name, "by_trial", rows[:30], rows[30:36], rows[36:])


def flags(gmss):
    return [gmss.Recipe(), *(gmss.Recipe(**{name: True}) for name in gmss.FLAGS), gmss.RECIPES["official"]]


@pytest.mark.parametrize("k", range(17))
@pytest.mark.parametrize("mode", ["supervised", "unsupervised"])
def test_every_recipe_trains_in_both_modes(gmss, exp, mode, k):
    recipe = flags(gmss)[k]
    exp = gmss.replace(exp, batch_size=8, epochs=2, probe_epochs=2)
    runs = [gmss.Run(fold()), gmss.Run(fold(first=48), 1)]
    found = gmss.MODES[mode](exp, runs, recipe)
    assert all(0 <= one.accuracy <= 1 and torch.isfinite(one.model.log).all() for one in found)
    short = recipe.drop_last and mode == "unsupervised"
    assert [len(one.test) for one in found] == [8 if short else 12] * 2
    trained = found[0].model.scales
    assert (trained == 1).all() if recipe.fixed_weights else (trained != 1).any()


def test_every_flag_of_the_objective_changes_the_training(gmss, exp):
    """In its own mode; the corrected recipe twice is the same to the last digit."""
    run = [gmss.Run(fold())]

    def trained(recipe):
        return (gmss.pretrain if recipe.one_view else gmss.train_joint)(exp, run, recipe)[0]

    def weights(found):
        step = found if isinstance(found, gmss.TrainingStep) else found.model
        return step.network.extractor.weight

    plain, without_labels = weights(trained(gmss.Recipe())), weights(gmss.pretrain(exp, run, gmss.Recipe())[0])
    assert torch.equal(plain, weights(trained(gmss.Recipe())))
    for name in gmss.OBJECTIVE_FLAGS:
        other = without_labels if name == "one_view" else plain
        assert not torch.equal(weights(trained(gmss.Recipe(**{name: True}))), other), name


def test_there_is_a_flag_for_each_recipe(gmss):
    assert len(flags(gmss)) == 17 and all(vars(gmss.RECIPES["official"]).values())
    assert gmss.OBJECTIVE_FLAGS + gmss.SCORE_FLAGS + ["unfrozen"] == gmss.FLAGS


def test_supervised_mode_overfits_one_batch(gmss, exp):
    exp = gmss.replace(exp, epochs=60, batch_size=30, learning_rate=0.01)
    split = splits.Split("x", "published", np.arange(30), np.arange(0), np.arange(30, 60))
    found = gmss.train_joint(exp, [gmss.Run(split)], gmss.Recipe())[0]
    logits = training.predict(gmss.Inference(found.model), exp.X, split.train)
    assert (logits.argmax(1).numpy() == exp.y[:30]).mean() > 0.95
    curves = gmss.curves([found.model])
    assert curves["emotion loss"].iloc[-1] < 0.5 * curves["emotion loss"].iloc[0]


def test_jigsaws_and_contrast_can_be_learned(gmss, exp):
    """Few permutations, few windows: all three label-free losses fall far below guessing."""
    exp = gmss.replace(exp, epochs=100, batch_size=16, learning_rate=0.01, n_hidden=64, n_filters=16,
                       bands=exp.bands[[0, 30, 90]], regions={"corrected": exp.regions["corrected"][[0, 40, 80, 110]]})
    split = splits.Split("x", "published", np.arange(64), np.arange(0), np.arange(64, 80))
    table = gmss.curves(gmss.pretrain(exp, [gmss.Run(split)], gmss.Recipe())).iloc[-20:].mean()
    assert table["frequency accuracy"] > 0.7 and table["spatial accuracy"] > 0.6
    assert table["contrastive loss"] < 0.9 * gmss.contrastive_levels(4, 4, 0.5)["all views alike"]


@pytest.mark.parametrize("mode", ["supervised", "unsupervised"])
def test_three_at_once_equal_three_alone(gmss, exp, mode):
    """Without dropout and with the same views: every weight after every step of an epoch."""
    recipe = gmss.Recipe()
    runs = [gmss.Run(fold(), seed) for seed in range(3)]
    X, y, trains, _ = gmss.stacked_rows(runs, exp.y, recipe, 4, exp.batch_size)
    steps = [exp.step(run, recipe, 3 if mode == "supervised" else None) for run in runs]
    for module in (part for step in steps for part in step.modules() if isinstance(part, nn.Dropout)):
        module.p = 0.0
    alone = copy.deepcopy(steps)

    def objective(model, x, y):
        window, other, drawn = x
        return model(exp.X[window], exp.X[other], drawn, y)

    # not Adam: a bias in front of a batch norm has no gradient but rounding, which Adam makes a full step of
    how = {"epochs": 1, "batch_size": 16, "objective": objective, "optimizer": lambda ps: torch.optim.SGD(ps, lr=0.1)}
    with fixed_draws(gmss):
        training.fit_many(steps, X, y, trains, seed=[0, 1, 2], **how)
        for k, step in enumerate(alone):
            training.fit(step, X, y, trains[k], seed=k, **how)
    for one, other in zip(steps, alone):
        assert one.scales[0] != 1
        for (name, a), b in zip(one.state_dict().items(), other.state_dict().values()):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


class fixed_draws:
    """Permutations that depend on the place in the batch alone."""

    def __init__(self, gmss):
        self.gmss, self.kept = gmss, (gmss.fresh_permutations, gmss.frozen_permutations)

    def __enter__(self):
        def fresh(n, n_stream, n_bands, n_rows, few, device):
            k = torch.arange(2 * n_stream, device=device)
            return (k[:n] * 7 % n_bands, k[:n] * 11 % n_rows, (k * 13 % n_rows).view(2, -1),
                    (k * 5 % n_bands).view(2, -1))

        def frozen(drawn, n_sources, n_views, n_bands, n_rows, few):
            return fresh(len(drawn), n_sources * n_views, n_bands, n_rows, few, drawn.device)

        self.gmss.fresh_permutations, self.gmss.frozen_permutations = fresh, frozen

    def __exit__(self, *_):
        self.gmss.fresh_permutations, self.gmss.frozen_permutations = self.kept


def test_frozen_views_come_from_the_fixed_draws(gmss):
    drawn = torch.randint(2**31, (8, 24))
    bands, rows, stream_rows, stream_bands = gmss.frozen_permutations(drawn, 2, 4, 120, 128, True)
    assert stream_rows.shape == stream_bands.shape == (2, 8)
    assert torch.equal(stream_rows[0], (drawn[:2, 8:12] % 128).reshape(-1))
    for i in range(8):
        assert bands[i] in drawn[i, :4] % 120 and rows[i] in drawn[i, 4:8] % 120


def test_fresh_permutations_reach_all_or_120(gmss):
    for few, most in ((True, 119), (False, 127)):
        bands, rows, stream_rows, _ = gmss.fresh_permutations(9000, 9000, 120, 128, few, "cpu")
        assert rows.max() == most and bands.max() == 119 and stream_rows.max() == 127


def test_probe_keeps_the_extractor_unless_told(gmss, exp):
    runs = [gmss.Run(fold())]
    for unfrozen in (False, True):
        step = gmss.pretrain(exp, runs, gmss.Recipe())[0]
        before = step.network.extractor.weight.detach().clone()
        made = gmss.ProbeInput(step, step.network.extractor)
        gmss.probe(exp, runs, [made], gmss.Recipe(unfrozen=unfrozen))
        assert torch.equal(step.network.extractor.weight, before) != unfrozen


def test_pretraining_never_sees_test_windows_or_labels(gmss, exp):
    spoiled = exp.X.clone()
    spoiled[30:] = torch.nan
    runs = [gmss.Run(fold())]
    one = gmss.pretrain(exp, runs, gmss.Recipe())[0]
    other = gmss.pretrain(gmss.replace(exp, X=spoiled, y=exp.y * 0), runs, gmss.Recipe())[0]
    assert torch.equal(one.network.extractor.weight, other.network.extractor.weight)


def test_zscores_are_of_training_windows(gmss, exp):
    step = exp.step(gmss.Run(fold()), gmss.Recipe(), 3)
    torch.testing.assert_close(step.shift, exp.X[:30].mean(0))
    torch.testing.assert_close(step.scale, exp.X[:30].std(0))


def test_drop_last_fails_as_the_released_code_does(gmss):
    for flag in ("drop_last", "redrawn_test"):
        with pytest.raises(ValueError, match="241 windows, less than a batch of 256.*UnboundLocalError.*corrected"):
            gmss.scored_rows(np.arange(241), gmss.Recipe(**{flag: True}), 256)
    assert len(gmss.scored_rows(np.arange(1384), gmss.Recipe(drop_last=True), 256)) == 1280
    assert gmss.n_scored(1384, gmss.Recipe(redrawn_test=True), 256) == 1280
    assert len(gmss.scored_rows(np.arange(1384), gmss.Recipe(redrawn_test=True), 256)) == 1384
    assert len(gmss.scored_rows(np.arange(241), gmss.Recipe(), 256)) == 241


def test_redrawn_test_windows_are_a_draw_without_replacement(gmss):
    drawn = np.array([gmss.redrawn([0.0, 0.7, 1.0], 100, 80, [seed]) for seed in range(400)])
    assert (drawn[:, 0] == 0).all() and (drawn[:, 2] == 1).all()
    assert drawn[:, 1].mean() == pytest.approx(0.7, abs=0.01)
    expected = math.sqrt(0.7 * 0.3 / 80 * 20 / 99)  # of 80 out of 100; with replacement it would be 0.051
    assert drawn[:, 1].std() == pytest.approx(expected, rel=0.15)


def test_best_of_runs_keeps_the_better_of_two(gmss, exp):
    runs = [gmss.Run(fold()), gmss.Run(fold(first=48), 5)]
    again = [gmss.replace(run, random_state=run.random_state + 1000) for run in runs]
    each = [[one.accuracy for one in gmss.train_joint(exp, part, gmss.Recipe())] for part in (runs, again)]
    best = [one.accuracy for one in gmss.train_joint(exp, runs, gmss.Recipe(best_of_runs=True))]
    assert best == list(map(max, *each)) and gmss.N_REPEATS == 2


def test_each_script_has_its_own_quirks(gmss):
    joint, pretraining = (gmss.for_mode(gmss.RECIPES["official"], mode) for mode in gmss.MODES)
    off = [{name for name, on in vars(recipe).items() if not on} for recipe in (joint, pretraining)]
    assert off == [{"one_view", "drop_last", "unfrozen"}, {"frozen_views", "best_of_runs", "redrawn_test"}]


def test_best_two_of_three_sessions(gmss):
    runs = [gmss.Run(fold(f"subject {s}, session {k}")) for s in (1, 2) for k in (1, 2, 3)]
    values = [0.5, 0.9, 0.7, 0.2, 0.4, 0.3]
    found = [gmss.Result(value, None, None, None, None) for value in values]
    assert gmss.accuracy(found, runs, gmss.Recipe())["accuracy"] == pytest.approx(0.5)
    assert gmss.accuracy(found, runs, gmss.Recipe(best_sessions=True))["accuracy"] == pytest.approx(0.575)


def test_best_test_epoch_is_the_largest_of_all_epochs(gmss, exp):
    recipe = gmss.Recipe(best_test_epoch=True)
    found = gmss.train_joint(exp, [gmss.Run(fold())], recipe)[0]
    assert found.accuracy == found.history.val_accuracy.max() and len(found.history) == exp.epochs


def seed_table(n_subjects=3, n_sessions=2):
    rows = [(str(s), k, t, w, ["p", "n", "q"][t % 3]) for s in range(1, n_subjects + 1)
            for k in range(1, n_sessions + 1) for t in range(1, 16) for w in range(4)]
    return pd.DataFrame(rows, columns=["subject", "session", "trial", "window", "label"])


@pytest.mark.parametrize("honest", [False, True])
def test_folds_are_the_papers(gmss, honest):
    table = seed_table()
    same = gmss.dependent_folds(table, "simulated", honest, 5, 0)
    assert len(same) == 6 and all((table.trial[f.test] > 9).all() and (table.trial[f.train] <= 9).all() for f in same)
    new = gmss.independent_folds(table, "simulated", honest, 5, 0)
    assert [f.name for f in new] == ["subject 1", "subject 2", "subject 3"]
    for f in [*same, *new]:
        assert bool(len(f.val)) == honest
    moved = gmss.on_rows(new[0], np.arange(len(table)) + 1000)
    assert (moved.test == new[0].test + 1000).all() and moved.protocol == "by_subject"


def test_meaningless_labels_stay_in_their_part(gmss):
    """Each part of each session keeps its counts, so that chance is chance whatever the split."""
    table = seed_table()
    y = table.label.map({"n": 0, "p": 1, "q": 2}).to_numpy()
    folds = gmss.dependent_folds(table, "simulated", True, 5, 0)
    runs = gmss.meaningless_runs(table, y, folds, 2, 0)
    assert len(runs) == 2 * len(folds) and (runs[0].y != runs[-1].y).any() and runs[0].y is runs[1].y
    for run in runs:
        assert (run.y != y).any()
        for rows in (run.fold.train, run.fold.val, run.fold.test):
            assert np.array_equal(np.bincount(run.y[rows]), np.bincount(y[rows]))
    both = gmss.part_of(table, [*folds, gmss.independent_folds(table, "simulated", True, 5, 0)[0]])
    assert set(both) == {"several", "train", "val", "test"} or set(both) == {"several"}


def test_labels_of_a_run_are_trained_and_scored_on(gmss, exp):
    """A run with its own labels is the run of a dataset with these."""
    other = (exp.y + 1) % 3
    for mode, train in gmss.MODES.items():
        own = train(exp, [gmss.Run(fold(), y=other)], gmss.Recipe())[0]
        theirs = train(gmss.replace(exp, y=other), [gmss.Run(fold())], gmss.Recipe())[0]
        assert own.accuracy == theirs.accuracy and own.history.equals(theirs.history), mode


def test_bug_audit_compares_with_the_corrected_recipe(gmss, exp):
    runs = [gmss.Run(fold(f"subject 1, session {k}"), seed) for k in range(3) for seed in (0, 1)]
    values = {gmss.Recipe(): [0.5, 0.5, 0.5, 0.5, 0.8, 0.8],
              gmss.Recipe(drop_last=True): [0.7, 0.5, 0.6, 0.62, 0.9, 0.88],
              gmss.Recipe(double_last=True): [0.4, 0.4, 0.7, 0.7, 0.8, 0.8]}

    def train(exp, runs, recipe):
        return [gmss.Result(v, None, None, None, None) for v in values.get(recipe, [0.5, 0.5, 0.9, 0.9, 0.9, 0.9])]

    names = ["double_last", "drop_last", "best_test_epoch", "best_sessions"]
    too_few = gmss.audit_flags(exp, runs, names, train)
    assert "drop_last" not in too_few.index and too_few.accuracy["official"] == pytest.approx(0.9)
    table = gmss.audit_flags(gmss.replace(exp, batch_size=8), runs, names, train)
    assert table.index.tolist() == ["corrected", *names, "official"]
    assert table.accuracy["drop_last"] == pytest.approx(0.7) and table.change["drop_last"] == pytest.approx(0.1)
    assert table.change["best_sessions"] == pytest.approx(0.05)  # the last two of three against all
    assert table.change["official"] == pytest.approx(0.3)  # the best two as well
    assert table.low["drop_last"] > 0 > table.low["double_last"]
    assert table.reading.tolist()[1:3] == ["noise", "changes the score"]
    assert set(table.reading[3:]) == {"chosen by the score"} and table.low[3:].isna().all()
    bound = 0.1 - stats.t.ppf(1 - 0.025 / 2, 2) * np.std([0.1, 0.11, 0.09], ddof=1) / np.sqrt(3)
    assert bound - 0.001 <= table.low["drop_last"] <= bound


def test_an_interval_of_many_rows_is_wider_and_rounded_outwards(gmss):
    differences, groups = [0.02, 0.03, 0.01, 0.04, 0.02, 0.03], list("abcdef")
    one, many = (gmss.joint_interval(differences, groups, n) for n in (1, 12))
    expected = stats.t.interval(0.95, 5, 0.025, stats.sem(differences))
    assert one[0] <= expected[0] < one[0] + 0.001 and one[1] - 0.001 < expected[1] <= one[1]
    assert many[0] < one[0] and many[1] > one[1] and many[0] == round(many[0], 3)
    assert gmss.joint_interval([0.0] * 6, groups, 12) == (0, 0)


def test_a_class_missing_from_training_is_named(gmss):
    with pytest.raises(ValueError, match=r"subject 1, session 1 trains without class \[2\]"):
        gmss.check_folds([fold()], np.arange(48) % 2, 3, 8)


def test_a_batch_larger_than_the_data_is_named(gmss):
    gmss.check_folds([fold()], np.arange(48) % 3, 3, 30)
    with pytest.raises(ValueError, match="batch_size 31 is larger than the training part of subject 1, .*30 windows"):
        gmss.check_folds([fold()], np.arange(48) % 3, 3, 31)


def test_the_official_recipe_needs_a_test_part_of_a_batch(gmss):
    gmss.check_folds([fold()], np.arange(48) % 3, 3, 13)
    with pytest.raises(ValueError, match="batch_size 13 is larger than the test part of .*12 windows, and the off"):
        gmss.check_folds([fold()], np.arange(48) % 3, 3, 13, full_batches=True)
    gmss.check_folds([fold()], np.arange(48) % 3, 3, 12, full_batches=True)


@pytest.mark.parametrize(("name", "seconds"), [("seed", 2.0), ("seed_iv", 4.0), ("faced", 1.0)])
def test_a_folder_of_signals_is_told_how_to_get_features(gmss, name, seconds, tmp_path):
    module = datasets.MODULES[name]
    module.write(module.simulate(1, n_seconds=seconds), tmp_path)
    with pytest.raises(DatasetError, match=f"Here is form='raw'.* GMSS needs the stored features of {name}.*--form"):
        gmss.load_windows(name, str(tmp_path), ("de_LDS",), 0.5, 0)
    with pytest.raises(DatasetError) as error:
        gmss.load_windows(name, str(tmp_path / "nowhere"), ("de_LDS",), 0.5, 0)
    assert "GMSS needs" not in str(error.value)


def test_bars_are_each_seeds_own(gmss, exp):
    """Whatever was drawn before, and in whichever stack."""
    folds, recipe = [fold(), fold("subject 2, session 1")], gmss.Recipe()
    seen = []
    for k in (2, 1):
        seeded = gmss.seeded_runs(folds, k, 3)
        steps = [exp.step(run, recipe, None) for run in seeded]
        torch.manual_seed(k)
        seen.append(gmss.frozen_probes(exp, seeded, steps, recipe, ("random extractor", "DE values"))[1])
    both, alone = seen
    for name in both:
        assert [one.accuracy for one in both[name][:2]] == [one.accuracy for one in alone[name]]
    assert [run.random_state for run in gmss.seeded_runs(folds, 2, 3)] == [3, 3, 4, 4]
    bars = both["random extractor"]
    assert gmss.by_seed(bars, [gmss.Run(one) for one in folds], recipe) == [
        np.mean([one.accuracy for one in part]) for part in (bars[:2], bars[2:])]


def test_pretrained_extractors_are_what_is_probed(gmss, exp):
    seeded = gmss.seeded_runs([fold()], 2, 0)
    steps = [exp.step(run, gmss.Recipe(), None) for run in seeded]
    names = ("pretrained extractor", "random extractor", "DE values")
    inputs, probed = gmss.frozen_probes(exp, seeded, steps, gmss.Recipe(unfrozen=True), names)
    assert tuple(inputs) == tuple(probed) == names
    for step, one, other in zip(steps, inputs[names[0]], inputs[names[1]]):
        assert one.extractor is step.network.extractor is not other.extractor
        assert torch.equal(one.extractor.weight, other.extractor.weight), "born alike; these steps were never trained"
    assert isinstance(inputs[names[2]][0].extractor, nn.Identity)


def test_a_cap_without_positions_is_named(gmss):
    info = mne.create_info(["Fp1", "XX"], 128.0, "eeg")
    with pytest.raises(ValueError, match="no position for Fp1, XX: set a montage"):
        gmss.make_graph(info)


@pytest.mark.parametrize(("name", "value"), [
    ("order", 0), ("order", 11), ("temperature", 0.0), ("temperature", -1.0), ("n_views", 1), ("batch_size", 0),
    ("protocol", "by_person"), ("mode", "semi"), ("dataset", "SEED"), ("epochs", 0), ("recipe", "fixed")])
def test_bad_parameters_are_named_before_anything_runs(name, value):
    with pytest.raises(ParameterError, match=f"Parameter '{name}' is {value!r}, but it takes"):
        cast_parameters("gmss", {name: value})


@pytest.mark.parametrize("path", sorted(SETTINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_settings_files_fit_the_notebook(gmss, path):
    given = yaml.safe_load(path.read_text())
    parameters = read_parameters("gmss")
    assert set(given) <= set(parameters)
    check_parameters({name: default for name, (default, _) in parameters.items()} | given, gmss.LIMITS)
