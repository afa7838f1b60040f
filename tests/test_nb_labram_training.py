"""Definitions of notebooks/labram.ipynb: data of every dataset, splits, the loop and its resumption, scores."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn import metrics

from eegemo_utils import corpus, datasets, splits
from eegemo_utils.datasets import tuev
from eegemo_utils.notebooks import notebook_path, read_parameters

SETTINGS = notebook_path("labram").parent / "settings" / "labram"
SMALL = {  # what simulate takes, window, stride
    "tuab": ({"n_subjects": 8, "n_seconds": 10}, 5, 5.0),
    "tuev": ({"n_subjects": 8, "n_events": 6}, 5, 5.0),
    "seed_v": ({"n_subjects": 1, "n_sessions": 1, "n_seconds": 4.0}, 1, 2.0),
    "faced": ({"n_subjects": 3, "n_seconds": 2.0}, 2, 2.0),
    "eegmat": ({"n_subjects": 5, "rest_seconds": 4, "arithmetic_seconds": 4}, 2, 2.0),
    "mobi": ({"n_subjects": 1, "n_trials": 1, "n_seconds": 40.0}, 2, 0.5),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_dataset_gives_windows_targets_rows_and_a_published_split(labram, name, tmp_path):
    options, seconds, stride = SMALL[name]
    datasets.simulate(name, tmp_path, **options)
    task = labram.TASKS[name]
    parts = labram.load_parts(name, str(tmp_path), 0, labram.preprocess)
    windows, y, names = labram.make_windows(parts, name, task, seconds, stride, labram.preprocess)
    assert windows.X.shape == (len(y), len(names), seconds, 200) and np.isfinite(windows.X).all()
    labram.check_windows(torch.from_numpy(windows.X), names)
    rows = labram.channel_rows(tuple(names))
    assert len(set(rows)) == len(names)
    if name in ("tuab", "tuev", "eegmat"):
        assert {89, 90, 91, 92} <= set(rows)  # T3 to T6 have rows of their own
    if task.kind == "regression":
        assert y.shape == (len(windows), 12) and 0.05 < np.abs(y).max() < 2
    else:
        labels = windows.table["label"].map({label: i for i, label in enumerate(task.outputs)})
        assert labels.tolist() == y.tolist() and len(set(y)) == len(task.outputs)
    fold = labram.make_folds(windows.table, name, "published", 3, 0, seconds)[0]
    assert len(fold.train) and len(fold.val) and len(fold.test)
    if name in ("tuab", "tuev"):
        assert set(windows.table["split"].iloc[fold.test]) == {"eval"}
    if name == "seed_v":
        assert set(windows.table["trial"].iloc[fold.test]) == set(range(11, 16))
    if name == "mobi":
        at = windows.table["start_s"].to_numpy()
        assert at[fold.train].max() + 2 <= 20 and at[fold.val].min() >= 20 and at[fold.test].min() >= 30


@pytest.mark.parametrize("seconds", [1, 2, 8])
def test_parts_of_mobi_share_no_second(labram, seconds):
    start = np.arange(0, 1201 - seconds, 0.5)
    table = pd.DataFrame({"subject": "1", "trial": 1, "label": "walk", "start_s": start})
    one = labram.make_folds(table, "mobi", "published", 3, 0, seconds)[0]
    for earlier, later in ((one.train, one.val), (one.val, one.test)):
        assert start[earlier].max() + seconds <= start[later].min()


@pytest.mark.parametrize("name", ["eegmat", "faced"])
def test_a_corpus_and_the_notebook_train_the_same_rows(labram, name, tmp_path):
    datasets.simulate(name, tmp_path / "files", **SMALL[name][0])
    info = datasets.load(name, tmp_path / "files").info
    stored = labram.names_of(name, info)
    if name == "eegmat":  # the others are no folder of EEG files
        corpus.build(tmp_path / "files", tmp_path / "corpus", progress=False)
        (stored,) = corpus.open(tmp_path / "corpus").montages
    assert set(labram.channel_rows(tuple(stored))) == set(labram.channel_rows(tuple(labram.names_of(name, info))))
    assert ("T3" in stored) == (name == "eegmat")


def test_tuev_is_filtered_before_its_events_are_cut(labram, tmp_path):
    datasets.simulate("tuev", tmp_path, n_subjects=4, n_events=2)
    wholes = []

    def prepare(signals, sfreq):
        wholes.append(labram.preprocess(signals, sfreq))
        return wholes[-1]

    parts = labram.load_parts("tuev", str(tmp_path), 0, prepare)
    windows, _, _ = labram.make_windows(parts, "tuev", labram.TASKS["tuev"], 5, 5.0, prepare)
    recordings = list(tuev.recordings(tmp_path))
    assert len(wholes) == len(recordings) and wholes[0].shape[1] > 1000
    event = tuev.load(recordings[0]).table.iloc[0]
    first = round((event["start"] - 2) * 200)
    wanted = wholes[0].take(range(first, first + 1000), axis=1, mode="wrap") / 100
    np.testing.assert_allclose(windows.X[0].reshape(len(wanted), -1), wanted, rtol=1e-3, atol=1e-3)


def test_mobi_targets_are_the_angles_at_the_end_of_the_window(labram, tmp_path):
    datasets.simulate("mobi", tmp_path, n_subjects=1, n_trials=1, n_seconds=10.0)
    part = datasets.load("mobi", tmp_path)
    found = labram.targets_of(part, 0, np.array([0.0, 1.5]), 2, labram.TASKS["mobi"])
    knee = labram.TASKS["mobi"].outputs.index("GKR")
    angle = part.signals[0][part.info["ch_names"].index("GKR")]
    np.testing.assert_allclose(found[:, knee], angle[[199, 349]] / 90)


def test_rows_to_pretrain_on(labram):
    table = pd.DataFrame([(s, 1, t, w) for s in "abcd" for t in (1, 2) for w in range(5)],
                         columns=["subject", "session", "trial", "window"])
    fold = splits.Split("x", "published", np.arange(20), np.arange(20, 30), np.arange(30, 40))
    assert set(labram.choose_rows(table, fold, "train", 1.0, 0)) == set(range(20))
    assert len(labram.choose_rows(table, fold, "all", 1.0, 0)) == 40
    half = labram.choose_rows(table, fold, "train", 0.5, 0)
    assert len(half) == 10 and table.iloc[half].groupby(["subject", "trial"]).size().eq(5).all()
    assert len(labram.choose_rows(table, fold, "train", 0.001, 0)) == 5


def masked_run(labram, path, epochs=4, stop=None):
    """A short pretraining; `stop` ends it after so many epochs as a killed process would."""
    torch.manual_seed(0)
    size = labram.Size(1, 100, 5, 0.1)
    x, names = torch.randn(20, 3, 2, 200), ["CZ", "O1", "T3"]
    tokenizer = labram.Tokenizer(size, 16, 8, 1, from_data=False).eval()
    model = labram.MaskedModel(size, 16, drop_rate=0.2)
    plan = replace(labram.PLANS["pretraining"], batch_size=6, epochs=epochs, warmup_epochs=1)
    seen = []

    def loss_of(batch, generator):
        seen.append(batch.tolist())
        if stop and len(seen) > 3 * stop:
            raise KeyboardInterrupt
        mask = labram.random_mask(len(batch), 6, 0.5, generator)
        parts = labram.masked_losses(model, tokenizer, x[batch], names, mask)
        return parts.hidden + parts.complement, {"loss": parts.hidden}

    run = labram.Run(model, loss_of, np.arange(20), plan, checkpoint=path, seed=3)
    return model, run.fit(), seen


def test_codes_that_are_kept_teach_what_codes_looked_up_in_each_step_do(labram, small):
    X, rows, names = torch.randn(20, 3, 2, 200).half(), np.arange(3, 17), ["CZ", "O1", "T3"]
    tokenizer = labram.Tokenizer(small, 16, 8, 1, from_data=False).eval()
    plan = replace(labram.PLANS["pretraining"], batch_size=5, epochs=2, warmup_epochs=0)
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(labram.MaskedModel(small, 16))

    def loss_of(batch, generator):
        mask = labram.random_mask(len(batch), 6, 0.5, generator)
        parts = labram.masked_losses(models[1], tokenizer, X[batch].float(), names, mask)
        return parts.hidden + parts.complement, {"loss": parts.hidden + parts.complement}

    kept = labram.pretrain(models[0], tokenizer, X, rows, names, plan, seed=3)
    looked_up = labram.Run(models[1], loss_of, rows, plan, seed=3).fit()
    assert len(set(kept["loss"])) == 2
    np.testing.assert_allclose(kept["loss"], looked_up["loss"], rtol=1e-5)


def test_windows_at_once_are_few_on_a_cpu_only(labram):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert [labram.windows_at_once(n, 253, cpu) for n in (2, 64)] == [2, labram.CPU_PATCHES // 253]
    assert labram.windows_at_once(512, 253, cuda) == 512 and labram.windows_at_once(3, 10**6, cpu) == 1


def test_a_batch_larger_than_the_data_is_told(labram, small):
    plan = replace(labram.PLANS["pretraining"], batch_size=8)
    with pytest.warns(UserWarning, match="5 windows do not fill a batch of 8: each epoch is one step"):
        labram.Run(labram.LaBraM(small, 1), None, np.arange(5), plan)


def test_without_symmetry_losses_and_hits_are_those_of_the_hidden_patches(labram, small):
    X, rows, names = torch.randn(20, 3, 2, 200), np.arange(20), ["CZ", "O1", "T3"]
    tokenizer = labram.Tokenizer(small, 16, 8, 1, from_data=False).eval()
    plan = replace(labram.PLANS["pretraining"], batch_size=20, epochs=1, warmup_epochs=0)
    torch.manual_seed(0)
    model = labram.MaskedModel(small, 16)
    first = [labram.first_loss(model, tokenizer, X, names, symmetric) for symmetric in (True, False)]
    assert first[1] == pytest.approx(first[0] / 2, rel=0.05)
    order = torch.randperm(20, generator=(generator := torch.Generator().manual_seed(3)))
    mask = labram.random_mask(20, 6, generator=generator)
    parts = labram.masked_losses(model, tokenizer, X[order], names, mask)
    row = labram.pretrain(model, tokenizer, X, rows, names, plan, symmetric=False, seed=3).iloc[0]
    assert row.loss == pytest.approx(parts.hidden.item(), rel=1e-4)
    assert row.accuracy == pytest.approx(parts.accuracy.item(), abs=1e-6)


def test_a_batch_in_parts_teaches_what_the_whole_one_does(labram, small, monkeypatch):
    X, y, rows, names = torch.randn(20, 3, 2, 200), torch.arange(20) % 2, np.arange(3, 20), ["CZ", "O1", "T3"]
    tokenizer = labram.Tokenizer(small, 16, 8, 1, from_data=False).eval()
    plan = replace(labram.PLANS["pretraining"], batch_size=8, epochs=2, warmup_epochs=0)
    fold, task = splits.Split("x", "published", rows, np.arange(2), np.array([2])), labram.Task("binary", ("a", "b"))
    tables, sizes = {}, []
    for name, patches in (("whole", 4096), ("parts", 18)):  # of three windows, and a last one of two
        monkeypatch.setattr(labram, "CPU_PATCHES", patches)
        torch.manual_seed(0)
        masked, tuned = labram.MaskedModel(small, 16), labram.LaBraM(small, 1)
        for model in (masked, tuned):
            model.register_forward_pre_hook(lambda model, args: sizes.extend([len(args[0])] * model.training))
        how = {"recipe": labram.RECIPES["corrected"], "seed": 3}
        tables[name] = [labram.pretrain(masked, tokenizer, X, rows, names, plan, **how),
                        labram.finetune(tuned, X, y, fold, names, task, plan, **how)[1]]
    for whole, parts in zip(*tables.values()):
        np.testing.assert_allclose(parts["loss"], whole["loss"], rtol=1e-5)
    assert sizes == [8] * 8 + [3, 3, 2] * 8


def test_an_interrupted_run_ends_as_an_unbroken_one(labram, tmp_path):
    whole, table, batches = masked_run(labram, tmp_path / "whole.pt")
    assert len(table) == 4 and len(batches) == 12 and all(len(batch) == 6 for batch in batches)
    with pytest.raises(KeyboardInterrupt):
        masked_run(labram, tmp_path / "broken.pt", stop=2)
    resumed, again, rest = masked_run(labram, tmp_path / "broken.pt")
    assert rest == batches[6:]
    pd.testing.assert_frame_equal(again, table)
    for name, part in whole.state_dict().items():
        assert torch.equal(part, resumed.state_dict()[name]), name
    assert masked_run(labram, tmp_path / "whole.pt")[2] == []


@pytest.mark.parametrize("n_tuned, trained", [(-1, {"all"}), (0, {"head"}), (1, {"blocks.2", "fc_norm", "head"})])
def test_what_is_fine_tuned(labram, n_tuned, trained):
    model = labram.freeze(labram.LaBraM(labram.Size(3, 100, 5, 0.1), 2), n_tuned)
    found = {".".join(n.split(".")[:2]) if n.startswith("blocks") else n.split(".")[0]
             for n, p in model.named_parameters() if p.requires_grad}
    everything = {"cls_token", "pos_embed", "time_embed", "patch_embed", "fc_norm", "head"} | {
        f"blocks.{i}" for i in range(3)}
    assert found == (everything if trained == {"all"} else trained)


@pytest.mark.parametrize("kind, n_outputs", [("binary", 1), ("multiclass", 3), ("regression", 2)])
def test_fine_tuning_learns_and_comes_back_with_the_best_epoch(labram, kind, n_outputs):
    torch.manual_seed(0)
    hertz = torch.tensor([6.0, 12.0, 24.0])[torch.arange(60) % (2 if kind == "binary" else 3)]
    x = torch.sin(2 * math.pi * hertz[:, None] * torch.arange(400) / 200)[:, None].repeat(1, 2, 1)
    x = (x + 0.3 * torch.randn(60, 2, 400)).unflatten(2, (2, 200))
    y = torch.arange(60) % (2 if kind == "binary" else 3)
    y = torch.stack([hertz / 24, -hertz / 24], dim=1) if kind == "regression" else y
    task = labram.Task(kind, ("a", "b", "c")[: 2 if kind != "multiclass" else 3])
    assert task.n_outputs == n_outputs
    model = labram.LaBraM(labram.Size(1, 100, 5, 0.1), n_outputs)
    fold = splits.Split("x", "published", np.arange(40), np.arange(40, 50), np.arange(50, 60))
    plan = labram.Plan(10, 14, 1, 5e-3, 1e-6, 0.999, 0.05, layer_decay=0.8, label_smoothing=0.1)
    how = {"recipe": labram.RECIPES["corrected"], "precision": "float32"}
    outputs, history = labram.finetune(model, x, y, fold, ["CZ", "OZ"], task, plan, **how)
    scores = labram.task_scores(outputs, y[50:].numpy(), kind)
    assert outputs.shape == (10, n_outputs) and scores[labram.CHOSEN_BY[kind]] > 0.8
    best = labram.task_scores(labram.outputs_of(model, x, fold.val, ["CZ", "OZ"]), y[40:50].numpy(), kind)
    assert best[labram.CHOSEN_BY[kind]] == pytest.approx(history["score"].max())
    with pytest.raises(ValueError, match="no validation part"):
        labram.finetune(model, x, y, splits.Split("x", "published", [0], [], [1]), ["CZ"], task, plan, **how)


def test_scores_are_scikit_learns(labram):
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 4, 50), rng.normal(size=(50, 4))
    found, predicted = labram.task_scores(logits, y, "multiclass"), logits.argmax(axis=1)
    assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(y, predicted))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, predicted))
    assert found["weighted_f1"] == pytest.approx(metrics.f1_score(y, predicted, average="weighted"))
    binary = labram.task_scores(logits[:, :1], y % 2, "binary")
    assert binary["auroc"] == pytest.approx(metrics.roc_auc_score(y % 2, logits[:, 0]))
    numbers = labram.task_scores(logits, logits + 1, "regression")
    assert numbers["pearson"] == pytest.approx(1) and numbers["rmse"] == pytest.approx(1) and numbers["r2"] < 0.5


def test_losses_of_table_7_reach_zero_for_perfect_answers(labram):
    size = labram.Size(1, 100, 5, 0.1)
    x, names, mask = torch.randn(2, 3, 2, 200), ["CZ", "O1", "T3"], labram.random_mask(2, 6)
    tokenizer = labram.Tokenizer(size, 16, 8, 1, from_data=False).eval()
    targets = {"vectors": 3 * tokenizer.to_quantizer(x, names), "raw": x.flatten(1, 2),
               "spectra": torch.cat(labram.spectral_targets(x), dim=-1)}
    for pretext, answer in targets.items():
        model = labram.MaskedModel(size, answer.shape[-1])
        views = labram.rebuilt_losses(model, tokenizer, x, names, mask, pretext)
        assert all(view.item() > 0.3 and view.requires_grad for view in views)
        model.logits = lambda *_, answer=answer: answer
        assert max(view.item() for view in labram.rebuilt_losses(model, tokenizer, x, names, mask, pretext)) < 1e-6


def test_attention_weights_are_those_that_the_fused_kernel_uses(labram):
    torch.manual_seed(0)
    model = labram.LaBraM(labram.Size(2, 100, 5, 0.1)).eval()
    x, names = torch.randn(2, 3, 2, 200), ["CZ", "O1", "T3"]
    with torch.no_grad():
        weights = labram.attention_weights(model, x, names)
        tokens = model.blocks[0](model.placed(model.patch_embed(x), labram.row_tensor(tuple(names), x.device)))
        normed = model.blocks[1].norm1(tokens)
        v = model.blocks[1].attn.heads(normed)[2]
        mixed = model.blocks[1].attn.proj((weights @ v).transpose(1, 2).flatten(2))
        torch.testing.assert_close(mixed, model.blocks[1].attn(normed), atol=1e-5, rtol=1e-5)
    received = labram.attended_electrodes(weights, 3)
    assert received.shape == (3,) and received.sum() == pytest.approx(1)


def test_settings_name_the_papers_rows(labram):
    found = {path.stem: yaml.safe_load(path.read_text()) for path in SETTINGS.glob("*.yaml")}
    rows = {f"{name}_{size}" for name in ("tuab", "tuev", "seed_v", "mobi") for size in ("base", "large", "huge")}
    ablations = {f"{row}_{name}" for name in ("tuab", "tuev") for row in (
        "table7_vectors", "table7_raw", "table7_spectra", "table8_04", "table8_01", "table9", "table10_8", "table10_0",
        "table11", "figure4", "figure5_10", "figure8")}
    assert rows | ablations | {"eegmat", "faced_base"} <= found.keys()
    defaults = read_parameters("labram")
    for name, values in found.items():
        assert values.keys() <= defaults.keys(), name
        if name not in ("eegmat",):
            assert values["window_seconds"] <= labram.MAX_PATCHES and values["n_codes"] == 8192


def test_seeds_stand_beside_their_mean(labram):
    one = pd.DataFrame({"auroc": [0.5]})
    assert labram.with_spread(one, [3]).index.tolist() == ["seed 3"]
    found = labram.with_spread(pd.DataFrame({"auroc": [0.5, 0.7]}), [3, 4])["auroc"]
    assert found.index.tolist() == ["seed 3", "seed 4", "mean", "std"]
    np.testing.assert_allclose(found, [0.5, 0.7, 0.6, 0.02**0.5])
