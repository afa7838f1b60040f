"""TNAS: score, evolutionary search, fronts, hypervolume, the winner's curse."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from eegemo_utils.notebooks import load_definitions


@pytest.fixture(scope="module")
def tnas():
    return load_definitions("tnas")


@pytest.fixture(scope="module")
def space(tnas):
    return tnas.Space((12, 24, 36), (1, 2, 3), (1, 1.5, 2), (2, 3, 4), 4)


class Mock:
    """A scorer without a network: accuracy is what a function of the genome says."""

    def __init__(self, tnas, space, accuracy):
        self.tnas, self.space, self.accuracy, self.asked = tnas, space, accuracy, []

    def __call__(self, genomes):
        self.asked += [genome.tobytes() for genome in genomes]
        params = self.tnas.count_weights(self.space, genomes, 32, 128, 2)
        accuracy = np.array([self.accuracy(genome) for genome in genomes], float)
        return pd.DataFrame({"accuracy": accuracy, "loss": 1 - accuracy / 100, "params": params})


def hill(genome):
    """Best for many heads and the middle ratio."""
    return 60 + 4.0 * (genome[2:6] == 2).sum() + 2.0 * (genome[6:] == 1).sum()


# ---- the score ----

def test_units_of_the_score(tnas):
    paper = tnas.PAPER_SPACE
    rng = np.random.default_rng(0)
    genomes = np.concatenate([tnas.extreme_genomes(paper), tnas.random_genomes(paper, 500, rng)])
    params = tnas.count_weights(paper, genomes, 32, 128, 2)
    flat = pd.DataFrame({"accuracy": 97.0, "params": params})
    assert tnas.score_of(flat).argmax() == 0 and tnas.score_of(flat, 0.01).argmax() == 0
    better = flat.assign(accuracy=np.where(np.arange(len(flat)) == 1, 98.0, 97.0))  # one point, the largest
    assert tnas.score_of(better).argmax() == 1 and tnas.score_of(better, 0.01).argmax() == 0
    assert np.ptp(1e6 / params[:2]) == pytest.approx(0.517, abs=0.001)


def test_best_score_is_never_beaten_in_both(tnas, space):
    rng = np.random.default_rng(0)
    for _ in range(20):
        params = rng.integers(1000, 9000, 200)
        table = pd.DataFrame({"accuracy": rng.integers(50, 100, 200) / 1.0, "params": params})
        best = tnas.score_of(table, 1.0, 0.05).argmax()
        assert best in tnas.front(table) or (
            (table.accuracy == table.accuracy[best]) & (table.params == table.params[best])).sum() > 1


# ---- the search ----

@pytest.mark.parametrize("official", [False, True])
def test_search_follows_its_rules(tnas, space, official):
    how = tnas.Search(40, 20, 20, 20, 6)
    recipe = tnas.RECIPES["official" if official else "corrected"]
    scorer = Mock(tnas, space, hill)
    found = tnas.evolve(space, scorer, how, 3, recipe)
    assert len(set(scorer.asked)) == len(scorer.asked) == 40 * 7 == len(found.genomes)
    assert (found.genomes >= 0).all() and (found.genomes < space.cards).all()
    assert (tnas.canonical(space, found.genomes) == found.genomes).all()
    assert found.progress.generation.tolist() == list(range(6 if official else 7))
    assert (found.progress.parents == (10 if official else 20)).all()
    again = tnas.evolve(space, Mock(tnas, space, hill), how, 3, recipe)
    pd.testing.assert_frame_equal(found.table, again.table)
    other = tnas.evolve(space, Mock(tnas, space, hill), how, 4, recipe)
    assert not found.table.equals(other.table)


def test_answer_is_the_best_of_all_generations(tnas, space):
    how = tnas.Search(40, 20, 20, 20, 6, lambda2=1e-6)
    last = {}

    def rising(genome):  # every later network is better, so the answer must be of the last generation
        return last.setdefault(genome.tobytes(), 50 + 0.1 * len(last))

    found = tnas.evolve(space, Mock(tnas, space, rising), how, 0, tnas.Recipe())
    assert found.winner == len(found.genomes) - 1 and found.table.generation[found.winner] == 6
    flawed = tnas.evolve(space, Mock(tnas, space, rising), how, 1, tnas.Recipe(last_unranked=True))
    assert flawed.table.generation[flawed.winner] == 5 and flawed.table.generation.max() == 6


def test_search_beats_its_first_generation(tnas, space):
    found = tnas.evolve(space, Mock(tnas, space, hill), tnas.Search(40, 20, 20, 20, 10, lambda2=1e-6), 0, tnas.Recipe())
    assert found.table.accuracy[found.winner] > found.table.accuracy[:40].max() + 2
    assert found.progress.score.is_monotonic_increasing
    assert tuple(found.best) == tuple(found.genomes[found.winner])


def test_a_space_that_is_used_up_ends_the_search(tnas):
    tiny = tnas.Space((4, 8), (1, 2), (1,), (1, 2), 0)
    found = tnas.evolve(tiny, Mock(tnas, tiny, lambda g: 50), tnas.Search(8, 4, 4, 4, 50), 0, tnas.Recipe())
    assert len(found.genomes) == 12 and found.table.params[found.winner] == found.table.params.min()


def test_mutation_rates(tnas):
    paper = tnas.PAPER_SPACE
    rng = np.random.default_rng(0)
    parents = np.repeat(tnas.canonical(paper, (paper.cards // 2)[None]), 20000, axis=0)
    children = tnas.mutate(paper, parents, tnas.Search(), rng)
    changed = (children != parents).mean(axis=0)
    assert changed[:2] == pytest.approx([0.4 * 4 / 5, 0.4 * 3 / 4], abs=0.015)  # a redraw may give the old value
    same_depth = children[:, 0] == parents[:, 0]
    assert (children != parents)[same_depth][:, 2:10].mean() == pytest.approx(0.2 * 2 / 3, abs=0.01)
    grown = children[children[:, 0] == 4]
    assert [np.bincount(grown[:, 11], minlength=3).min() > 0.3 * len(grown)] == [True]  # new layers are drawn
    assert (tnas.canonical(paper, children) == children).all()


def test_crossover_takes_genes_of_either_parent(tnas):
    paper, rng = tnas.PAPER_SPACE, np.random.default_rng(0)
    one, two = (tnas.random_genomes(paper, 3000, rng) for _ in range(2))
    children = tnas.cross(paper, one, two, rng)
    assert (tnas.canonical(paper, children) == children).all()
    active = np.tile(tnas.active_layers(paper, children), 2)
    from_one, from_two = children == one, children == two
    assert (from_one | from_two)[:, :2].all() and (from_one | from_two)[:, 2:][active].all()
    different = one[:, 1] != two[:, 1]
    assert from_one[different, 1].mean() == pytest.approx(0.5, abs=0.05)
    for depths in np.unique(np.stack([one[:, 0], two[:, 0]], 1), axis=0):  # every pair of depths
        both = (one[:, 0] == depths[0]) & (two[:, 0] == depths[1])
        assert set(children[both, 0]) == set(depths)
    # a layer that only one parent has comes from that parent
    deep, shallow = np.array([[4, 0, *[2] * 20]]), tnas.canonical(paper, np.array([[0, 0, *[1] * 20]]))
    made = tnas.cross(paper, np.repeat(shallow, 200, 0), np.repeat(deep, 200, 0), rng)
    assert (made[made[:, 0] == 4][:, 8:12] == 2).all() and {1, 2} == set(made[:, 2])


def test_equal_depths_crosses_only_those(tnas, space):
    parents = tnas.random_genomes(space, 30, np.random.default_rng(0))
    seen, how = set(), tnas.Search(30, 0, 30, 30, 1)
    calls = []
    original = tnas.cross

    def spy(space, one, two, rng):
        calls.append((one[:, 0] == two[:, 0]).mean())
        return original(space, one, two, rng)

    tnas.cross = spy
    try:
        tnas.next_generation(space, parents, how, seen, np.random.default_rng(0), True)
        strict, calls[:] = list(calls), []
        tnas.next_generation(space, parents, how, set(), np.random.default_rng(0), False)
    finally:
        tnas.cross = original
    assert set(strict) == {1.0} and min(calls) < 0.9


def test_settings_that_contradict_each_other_are_named(tnas):
    with pytest.raises(ValueError, match="top_k 60 parents cannot be chosen from a population of 50: lower top_k"):
        tnas.Search(50, 20, 20, 60)
    with pytest.raises(ValueError, match="30 mutants and 30 crossovers are more than a population of 50"):
        tnas.Search(50, 30, 30, 20)


# ---- fronts ----

def test_nsga_front_and_volume(tnas, space):
    scorer = Mock(tnas, space, hill)
    genomes = tnas.nsga(space, scorer, tnas.Search(30, 15, 15, 15), 300, 1)
    assert len(np.unique(genomes, axis=0)) == len(genomes) and (tnas.canonical(space, genomes) == genomes).all()
    table = scorer(genomes)
    rows = tnas.front(table)
    objectives = np.stack([-table.accuracy, table.params], axis=1)
    for i in rows:
        assert not ((objectives[rows] <= objectives[i]).all(1) & (objectives[rows] < objectives[i]).any(1)).any()
    for i in set(range(len(table))) - set(rows):  # and everything else is beaten, or a copy in both objectives
        assert (objectives[rows] <= objectives[i]).all(1).any()
    ends = tnas.count_weights(space, tnas.extreme_genomes(space), 32, 128, 2)
    course = tnas.volume_course(table, 30, ends)
    assert course.is_monotonic_increasing and course.iloc[-1] > course.iloc[0]
    at_random = tnas.volume_course(Mock(tnas, space, hill)(tnas.random_search(space, len(genomes), 1)), 30, ends)
    assert course.iloc[-1] > at_random.iloc[-1]


def test_nsga_leaves_no_tie_to_a_sort(tnas, space, monkeypatch):
    """Instruction sets sort equal numbers differently; so what is sorted must differ."""
    from pymoo.operators.survival.rank_and_crowding import classes

    sort, sorted_values = classes.randomized_argsort, []
    monkeypatch.setattr(classes, "randomized_argsort",
                        lambda values, **options: sorted_values.append(values) or sort(values, **options))
    tnas.nsga(space, Mock(tnas, space, hill), tnas.Search(30, 15, 15, 15), 200, 1)
    assert sorted_values and all(len(np.unique(values)) == len(values) for values in sorted_values)
    assert tnas.in_order(np.array([np.inf, 1.0, np.inf, 0.0])).tolist() == [2, 1, 3, 0]


def test_hypervolume_by_hand(tnas):
    table = pd.DataFrame({"accuracy": [100.0, 75.0], "params": [6.0, 1.0]})
    # points (0, 1) and (0.5, 0) in the box, seen from (1.1, 1.1)
    assert tnas.hypervolume(table, 1, 6) == pytest.approx(0.6 * 1.1 + 0.5 * 0.1)
    assert tnas.hypervolume(table.iloc[1:], 1, 6) == pytest.approx(0.6 * 1.1)


def test_curse_follows_the_best_so_far(tnas):
    table = pd.DataFrame({"accuracy": [50.0, 90.0, 70.0]})
    found = tnas.curse(table, np.array([1.0, 2.0, 3.0]), 4000, np.random.default_rng(0))
    assert found.validation.tolist() == pytest.approx([70, 83.33, 90], abs=1)
    assert found.test.tolist() == pytest.approx([2, 7 / 3, 2], abs=0.05)


def test_random_search_gives_different_networks(tnas, space):
    genomes = tnas.random_search(space, 200, 0)
    assert len(genomes) == len(np.unique(genomes, axis=0)) == 200


def test_plain_networks(tnas, space):
    genomes = tnas.uniform_genomes(space)
    assert len(np.unique(genomes, axis=0)) == len(genomes) == 3 * 3 * 3 * 3
    assert all(len(set(tnas.decode(space, g).heads)) == 1 for g in genomes)
    sizes = tnas.count_weights(space, genomes, 32, 128, 2)
    near = tnas.nearest_uniform(space, 9000, 32, 128, 2)
    assert abs(tnas.count_weights(space, near[None], 32, 128, 2)[0] - 9000) == np.abs(sizes - 9000).min()


def test_genes_of_winners(tnas, space):
    winners = tnas.canonical(space, np.array([[0, 1, 2, 2, 0, 0, 1, 1, 0, 0], [2, 1, 2, 0, 1, 2, 1, 1, 1, 1]]))
    genes = tnas.gene_shares(space, winners)
    assert genes["width"].tolist() == [0, 1, 0] and genes["MLP ratio"].tolist() == [0, 1, 0]
    assert genes["heads"].tolist() == pytest.approx([1 / 6, 1 / 6, 4 / 6])
    assert tnas.evenness(genes["width"]) == 0 and tnas.evenness(pd.Series([0.5, 0.5])) == pytest.approx(1)
    assert tnas.evenness(pd.Series([1.0])) == 1


def test_scorer_evaluates_each_network_once(tnas, space):
    supernet = tnas.Supernet(space, 5, 16, 2)
    exp = SimpleNamespace(X=torch.randn(9, 5, 16), Y=torch.tensor([[0, 1, 0, 1, 1, 0, 0, 1, 1]]), space=space,
                          n_outputs=2, recipe=tnas.Recipe(), precision="float32")
    job = tnas.Job(SimpleNamespace(val=np.arange(2, 9)), 0)
    scorer, calls = tnas.Scorer(exp, tnas.Fitted(supernet, 0, None), job), []
    logits = scorer.logits
    scorer.logits = lambda genomes: calls.append(len(genomes)) or logits(genomes)
    genomes = tnas.random_genomes(space, 6, np.random.default_rng(0))
    table = scorer(np.concatenate([genomes, genomes[:2]]))
    scorer(genomes)
    assert calls == [6] and table.iloc[0].tolist() == table.iloc[6].tolist()
    with torch.no_grad():
        out = supernet(exp.X[None, 2:], tnas.decode(space, genomes[3]))[0]
    assert table.accuracy[3] == pytest.approx(100 * (out.argmax(1) == exp.Y[0, 2:]).double().mean().item())
    assert table.loss[3] == pytest.approx(torch.nn.functional.cross_entropy(out, exp.Y[0, 2:]).item(), abs=1e-5)
