"""How runs of notebooks/gmss.ipynb are trained: the schedule of each run in a stack, and going on after a stop."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from eegemo_utils import splits
from eegemo_utils.montage import seed_graph
from eegemo_utils.notebooks import load_definitions


@pytest.fixture(scope="module")
def gmss():
    return load_definitions("gmss")


@pytest.fixture
def exp(gmss):
    torch.manual_seed(0)
    y = np.arange(96) % 3
    X = torch.randn(96, 62, 5) + 1.5 * nn.functional.one_hot(torch.as_tensor(y), 5)[:, None]
    table = gmss.spatial_table([np.arange(62)[k::5] for k in range(5)], gmss.choose_permutations(5, 128))
    return gmss.Experiment(
        X=X, y=y, edges=seed_graph(), bands=gmss.frequency_table(5), regions={"corrected": table, "official": table},
        n_outputs=3, zscore=True, epochs=4, probe_epochs=3, batch_size=16, learning_rate=0.005, weight_decay=8e-5,
        n_filters=4, order=2, n_hidden=16, n_views=4, temperature=0.5, at_once=45, precision="float32", resume=True)


def run(gmss, k):
    rows = np.arange(48 * k, 48 * k + 48)
    return gmss.Run(splits.Split(f"subject 1, session {k}", "by_trial", rows[:30], rows[30:36], rows[36:]), k)


class Logged:
    """What `Plateau` reads of a `TrainingStep`."""

    def __init__(self, losses):
        self.log = torch.zeros(len(losses), 12)
        self.log[:, -2] = torch.as_tensor(losses)


@pytest.mark.parametrize(("passes", "how"), [(1, {"patience": 5}), (4, {"patience": 4, "cooldown": 1})])
def test_each_run_has_its_own_rate(gmss, passes, how):
    """As torch's scheduler, given the sums of the losses of each run by itself; also from a saved state on."""
    n_passes = 40 * passes
    falls = np.maximum(0, n_passes // 4 - np.arange(n_passes)) / n_passes  # for a quarter of the time
    losses = [np.linspace(1, 0.1, n_passes), np.ones(n_passes), 1 + falls]

    def stack():
        weights = [nn.Parameter(torch.zeros(2)) for _ in range(6)]
        optimizer = gmss.adam_by_run(weights, 3, lr=0.01)
        assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2, 2]
        return optimizer, gmss.Plateau(optimizer, [Logged(one) for one in losses], passes, **how)

    alone = [torch.optim.Adam([nn.Parameter(torch.zeros(2))], lr=0.01) for _ in losses]
    schedules = [ReduceLROnPlateau(one, factor=0.1, **how) for one in alone]
    optimizer, plateau = stack()
    found, expected = [], []
    for k in range(n_passes):
        if k == n_passes // 3:  # as a checkpoint has it
            states = optimizer.state_dict(), plateau.state_dict()
            optimizer, plateau = stack()
            optimizer.load_state_dict(states[0])
            plateau.load_state_dict(states[1])
        plateau.step()
        if k % passes == passes - 1:
            for schedule, loss in zip(schedules, losses):
                schedule.step(np.float32(loss)[k - passes + 1 : k + 1].sum())
            found.append([group["lr"] for group in optimizer.param_groups])
            expected.append([one.param_groups[0]["lr"] for one in alone])
    assert found == expected
    assert found[-1][0] == 0.01 and found[-1][1] < 1e-5 and 1e-8 < found[-1][2] < 0.01


@pytest.mark.parametrize("mode", ["supervised", "unsupervised"])
def test_the_rate_falls_when_nothing_is_learned(gmss, exp, mode, monkeypatch):
    """Labels and views at random, a rate that is far too high: the stack's runs end with a lower one."""
    seen = []
    exp = gmss.replace(exp, epochs=40 if mode == "unsupervised" else 80, learning_rate=0.5, resume=False)

    class Watched(gmss.Plateau):
        def step(self):
            super().step()
            seen.append([group["lr"] for group in self.optimizer.param_groups])

    monkeypatch.setitem(gmss.plateau.__globals__, "Plateau", Watched)
    gmss.MODES[mode](exp, [run(gmss, 0), run(gmss, 1)], gmss.Recipe())
    assert seen[0] == [0.5, 0.5] and max(seen[-1]) < 0.5


@pytest.fixture
def doubles():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("mode", ["supervised", "unsupervised"])
def test_nothing_of_a_training_falls_back_to_single_precision(gmss, exp, doubles, mode):
    """Every weight, buffer and logged sum is as exact as the default type; one float32 would part processors."""
    exp = gmss.replace(exp, X=exp.X.double(), precision="float64", resume=False)
    step = gmss.MODES[mode](exp, [run(gmss, 0), run(gmss, 1)], gmss.Recipe())[0].model
    held = [(name, part.dtype) for name, part in [*step.named_parameters(), *step.named_buffers()]]
    assert {dtype for _, dtype in held} <= {torch.float64, torch.int64}
    losses = step.log.sum(dim=0)
    assert not torch.equal(losses, losses.float().double())
    made = gmss.whitened(exp.X.flatten(1), 4), gmss.soft_labels(["rest", "task"]), gmss.masked_view(exp.X)
    assert {part.dtype for part in made} == {torch.float64}
    for network in (gmss.DGCNN(62, 5, 3), gmss.DANN(exp.extractor(), 62 * 4, 3, 2, 9), gmss.MoCo(
            exp.extractor(), gmss.projection_head(62 * 4), 8)):
        assert {part.dtype for part in network.state_dict().values()} == {torch.float64}


def test_the_same_picture_from_nearly_the_same_features(gmss):
    """t-SNE in single precision would turn a difference of 1e-12 into another picture."""
    values = np.random.default_rng(0).normal(size=(40, 5)) + 3 * (np.arange(40) % 3)[:, None]
    one, two = (gmss.embed(values + noise, 0) for noise in (0, 1e-12 * np.random.default_rng(1).normal(size=(40, 5))))
    assert one.dtype == np.float64 and np.abs(one - two).max() < 1e-3 * np.ptp(one)


class Stopped(Exception):
    pass


@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize("mode", ["supervised", "unsupervised"])
def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(gmss, exp, mode, tmp_path, monkeypatch):
    runs = [run(gmss, 0), run(gmss, 1)]
    expected = gmss.MODES[mode](gmss.replace(exp, resume=False), runs, gmss.Recipe())
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    step, calls = gmss.TrainingStep.forward, []

    def stops(self, *args):
        calls.append(1)
        if len(calls) == 6:
            raise Stopped
        return step(self, *args)

    monkeypatch.setattr(gmss.TrainingStep, "forward", stops)
    with pytest.raises(Stopped):
        gmss.MODES[mode](exp, runs, gmss.Recipe())
    found = gmss.MODES[mode](exp, runs, gmss.Recipe())
    n_calls = len(calls)
    assert [one.accuracy for one in found] == [one.accuracy for one in expected]
    for one, other in zip(found, expected):
        assert one.history.equals(other.history) and torch.equal(one.model.log, other.model.log)
    names = {path.name.split("-")[0] for path in (tmp_path / "checkpoints").iterdir()}
    assert names == ({"joint"} if mode == "supervised" else {"pretrain", "probe"})
    again = gmss.MODES[mode](exp, runs, gmss.Recipe())  # what is finished is not trained again
    assert len(calls) <= n_calls + 2 and [one.accuracy for one in again] == [one.accuracy for one in expected]


def test_checkpoints_are_of_one_training_only(gmss, exp, tmp_path, monkeypatch):
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    runs = [run(gmss, 0), run(gmss, 1)]
    recipe = gmss.Recipe()
    flipped = {name: table.flip(0) for name, table in exp.regions.items()}
    cases = [
        ("joint", exp, runs, recipe),
        ("probe", exp, runs, recipe),
        ("joint", gmss.replace(exp, X=exp.X + 1), runs, recipe),
        ("joint", gmss.replace(exp, temperature=0.1), runs, recipe),
        ("joint", gmss.replace(exp, bands=exp.bands[:6]), runs, recipe),
        ("joint", gmss.replace(exp, regions=flipped), runs, recipe),
        ("joint", exp, runs[:1], recipe),
        ("joint", exp, runs, gmss.Recipe(double_softmax=True)),
        ("joint", exp, [gmss.replace(one, tasks=(0.0, 1.0, 1.0, 1.0)) for one in runs], recipe),
        ("joint", exp, [gmss.replace(one, y=1 - exp.y) for one in runs], recipe),
    ]
    shown = torch.zeros(4, 2)
    assert len({gmss.checkpoint_of(*case, shown) for case in cases}) == len(cases)
    assert gmss.checkpoint_of(*cases[0], shown) == gmss.checkpoint_of(*cases[0], shown.clone())
    assert gmss.checkpoint_of(*cases[0], shown) != gmss.checkpoint_of(*cases[0], shown + 1)
    assert gmss.checkpoint_of("joint", gmss.replace(exp, resume=False), runs, gmss.Recipe(), shown) is None
    monkeypatch.delenv("EEGEMO_OUT")
    assert gmss.checkpoint_of(*cases[0], shown) is None


def test_probes_of_other_features_have_checkpoints_of_their_own(gmss, exp, tmp_path, monkeypatch):
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    runs, recipe = [run(gmss, 0)], gmss.Recipe()
    steps = [exp.step(runs[0], recipe, None)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a checkpoint that is replaced is reported by one
        for _ in range(2):
            gmss.frozen_probes(exp, runs, steps, recipe, ("random extractor", "DE values"))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
