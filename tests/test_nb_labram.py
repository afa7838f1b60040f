"""Definitions of notebooks/labram.ipynb against the released code: `golden/labram` holds what that code gives.

What needs its weights (over 1 MB) is read from ``EEGEMO_GOLDEN/labram`` and skipped where that is not set.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import labram_reference as plain

HERE = Path(__file__).parent / "golden" / "labram"
LARGE = Path(os.environ.get("EEGEMO_GOLDEN", "nowhere")) / "labram"
needs_weights = pytest.mark.skipif(not LARGE.is_dir(), reason="EEGEMO_GOLDEN is not set")


def golden(name, folder=HERE):
    path = folder / name
    return json.loads(path.read_text()) if path.suffix == ".json" else torch.load(path, weights_only=True)


def near(found, wanted, tolerance=1e-5):
    torch.testing.assert_close(found.detach(), wanted, atol=tolerance, rtol=0)


def check_gradients(model, norms, skipped=()):
    """Norms to 1e-4 relative; that of a key's bias is rounding alone, since softmax does not see it."""
    compared = 0
    for name, parameter in model.named_parameters():
        if name in norms and name not in skipped:
            found = float(parameter.grad.norm())
            if name.endswith("k_norm.bias"):
                assert found < 1e-7 and norms[name] < 1e-7, name
            else:
                assert found == pytest.approx(norms[name], rel=1e-4), name
                compared += 1
    assert compared > 40


# ---- always: no weights needed ----

def test_channel_table(labram):
    table = golden("channels.json")
    assert labram.CHANNELS == table["standard_1020"]
    for name, row in table["index"].items():
        if row < labram.N_ROWS:
            assert labram.channel_rows((name,)) == (row,)
        else:
            with pytest.raises(labram.ChannelError, match=name):
                labram.channel_rows((name,))


@pytest.mark.parametrize("size", ["base", "large", "huge"])
def test_every_key_and_shape(labram, size):
    keys, official = golden("official_state_dict_keys.json"), labram.RECIPES["official"]
    with torch.device("meta"):
        models = {
            "pretrain": labram.MaskedModel(size, recipe=official),
            "finetune": labram.LaBraM(size),
        }
    for kind, model in models.items():
        found = {name: list(part.shape) for name, part in model.state_dict().items()}
        assert found == keys[f"{kind}_{size}"]["keys"]
    assert labram.count_parameters(models["pretrain"]) == keys[f"pretrain_{size}"]["params"]
    assert labram.count_parameters(models["finetune"]) == keys[f"finetune_{size}"]["params_without_head"]


@pytest.mark.parametrize("size, n_layers", [("base", 12), ("large", 24)])
def test_every_key_and_shape_of_the_tokenizer(labram, size, n_layers):
    wanted = golden("official_state_dict_keys.json")[f"vqnsp_{size}"]
    with torch.device("meta"):
        encoder = replace(labram.SIZES["base"], n_layers=n_layers)
        tokenizer = labram.Tokenizer(encoder, recipe=labram.RECIPES["official"])
    assert {name: list(part.shape) for name, part in tokenizer.state_dict().items()} == wanted["keys"]
    assert labram.count_parameters(tokenizer) == wanted["learnable"]


def test_schedule_and_groups(labram):
    data, official = golden("schedule_and_groups.json"), labram.RECIPES["official"]
    wanted = data["lr_schedule"]
    plan = replace(labram.PLANS["finetuning_base"], epochs=wanted["epochs"], warmup_epochs=wanted["warmup_epochs"])
    assert (plan.peak_rate, plan.final_rate) == (wanted["base"], wanted["final"])
    np.testing.assert_allclose(labram.step_rates(plan, wanted["niter_per_ep"]), wanted["values"], atol=1e-15)
    with torch.device("meta"):
        model = labram.LaBraM("base", n_outputs=6)
    groups = labram.parameter_groups(model, labram.PLANS["finetuning_base"], official)
    found = {name: (group["rate_scale"], group["weight_decay"]) for group in groups for name in group["names"]}
    wanted = data["finetune_base_param_groups"]
    assert found.keys() == wanted.keys()
    for name, (scale, decay) in found.items():
        assert (scale, decay) == (pytest.approx(wanted[name]["lr_scale"], rel=1e-12), wanted[name]["weight_decay"])
    np.testing.assert_allclose([b.drop_rate for b in labram.LaBraM("base", drop_rate=0.1).blocks],
                               data["drop_path_rates_base"], atol=1e-7)


def test_kmeans_and_three_steps_of_the_codebook(labram):
    data = golden("quantiser_kmeans_ema_io.pt")
    centres, counts = labram.kmeans(data["samples"], data["initial_means"], data["num_iters"])
    near(centres, data["means"])
    assert torch.equal(counts, data["bins"])
    torch.manual_seed(3)
    quantizer = labram.Quantizer(16, 8, decay=0.99)
    for step in data["vq"]:
        z = step["z"].clone().requires_grad_()
        chosen, loss, codes = quantizer(z.permute(0, 2, 3, 1))
        assert torch.equal(codes.flatten(), step["indices"]) and loss.item() == pytest.approx(step["loss"], abs=1e-6)
        near(chosen.permute(0, 3, 1, 2), step["q"])
        near(quantizer.embedding.weight, step["weight"])
        near(quantizer.cluster_size, step["cluster_size"])
        (chosen.square().sum() + loss).backward()
        near(z.grad, step["grad"])


def test_targets_and_masks(labram):
    data = golden("vqnsp_depth2_seed0_io.pt")
    amplitude, phase = labram.spectral_targets(data["x"])
    near(amplitude, data["target_amplitude"].flatten(1, 2))
    near(phase, data["target_angle"].flatten(1, 2))
    assert torch.equal(labram.mask_from_noise(data["mask_noise"]), data["mask"])


def test_both_views_at_once_equal_two_passes(labram):
    torch.manual_seed(0)
    model = labram.MaskedModel(labram.Size(2, 100, 5, 0.1), 50, labram.RECIPES["official"])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    x, names = torch.randn(3, 4, 3, 200), ["CZ", "O1", "T3", "A2"]
    rows = torch.tensor(labram.channel_rows(tuple(names)))
    mask, codes = labram.random_mask(3, 12), torch.randint(50, (3, 12))
    for found, wanted in zip(model.losses(x, names, mask, codes), plain.masked_losses(model, x, rows, mask, codes)):
        near(found, wanted)


def test_quantiser_equals_one_hot_products(labram):
    torch.manual_seed(0)
    quantizer = labram.Quantizer(64, 16, from_data=False)
    before, z = quantizer.embedding.weight.clone(), torch.randn(500, 16)
    weight, codes = plain.quantiser_step(z, before, 0.99)
    assert torch.equal(quantizer(z)[2], codes)
    near(quantizer.embedding.weight, weight)


# ---- with the released code's weights ----

@needs_weights
def test_finetuning_network(labram):
    data = golden("finetune_depth2_stress_io.pt", LARGE)
    model = labram.LaBraM.from_checkpoint(LARGE / "finetune_depth2_stress.pth")
    x, names = data["x"], data["ch_names"]
    assert model.report == labram.LoadReport((), ())
    with torch.no_grad():
        near(model.patch_embed(x), data["patch_embed"])
        for tokens, name in (("pooled", "pooled"), ("patches", "patch_tokens"), ("all", "all_tokens")):
            near(model.features(x, names, tokens), data[f"features_{name}"])
        near(model(x[:, :, :1], names), data["logits_1s"])
        near(model(x.flip(1), names[::-1]), data["logits_rev"])
    logits = model(x, names)
    near(logits, data["logits"])
    loss = labram.task_loss(logits, data["labels"], "multiclass", smoothing=0.1)
    assert loss.item() == pytest.approx(float(data["ce_label_smoothing_0.1"]), abs=1e-5)
    loss.backward()
    check_gradients(model, data["grad_norms"])


@needs_weights
def test_tokenizer(labram):
    data = golden("vqnsp_depth2_seed0_io.pt")
    model = labram.Tokenizer.from_checkpoint(LARGE / "vqnsp_depth2_seed0.pth")
    x, names = data["x"], data["ch_names"]
    with torch.no_grad():
        sure = data["cosine_margin_best_second"].view(2, 20) > 1e-4
        assert torch.equal(model.codes(x, names)[sure], data["code_indices"][sure]) and sure.sum() > 30
        near(model.encoder.features(x, names, "patches"), data["encoder_features"])
        near(model.to_quantizer(x, names), data["to_quantizer"])
        quantised, _, _ = model.quantize(model.to_quantizer(x, names))
        near(quantised, data["quantize_b_nd"])
        near(model.quantize.cluster_size, data["cluster_size_after_one_eval_call"])
        for found, wanted in zip(model.decode(quantised, names), ("rec_amplitude", "rec_angle")):
            near(found, data[wanted])
        losses = model(x, names)
    log = {name.removeprefix("val/"): value for name, value in data["eval_log"].items()}
    assert [float(part) for part in losses] == pytest.approx(
        [log[name] for name in ("total_loss", "quant_loss", "rec_loss", "rec_angle_loss")], abs=1e-5)


@needs_weights
def test_tokenizer_step(labram):
    data = golden("vqnsp_depth2_seed0_io.pt")
    model = labram.Tokenizer.from_checkpoint(LARGE / "vqnsp_depth2_seed0.pth").train()
    book = model.quantize.embedding.weight
    near(book[data["used_codes"]], data["codebook_rows_before"])
    before = book.clone()
    losses = labram.tokenizer_losses(model, data["x"], data["ch_names"])
    assert losses.total.item() == pytest.approx(float(data["train_loss"]), abs=1e-5)
    losses.total.backward()
    check_gradients(model, data["grad_norms"])
    near(book[data["used_codes"]], data["codebook_rows_after_one_train_step"])
    unused = torch.ones(len(book), dtype=torch.bool)
    unused[data["used_codes"]] = False
    assert (book - before)[unused].abs().max() < 1e-6
    near(model.quantize.cluster_size, data["quantize_cluster_size_after_train_step"])


@needs_weights
def test_masked_model(labram):
    data = golden("pretrain_depth2_seed0_io.pt", LARGE)
    model = labram.MaskedModel.from_checkpoint(LARGE / "pretrain_depth2_seed0.pth")
    x, names, mask = data["x"], data["ch_names"], data["mask"]
    with torch.no_grad():
        logits = model.logits(x, names, mask)
        near(logits[mask], data["logits"])
        near(logits[~mask], data["logits_sym"])
        states = model.student.norm(model.student.blocks[-1].think(
            model.attended(x, names, torch.stack([mask, ~mask]))))
        near(states[0], data["hidden_all_tokens"])
        near(states[1], data["hidden_all_tokens_sym"])
    parts = model(x, names, mask, data["codes"])
    assert [part.item() for part in parts[:2]] == pytest.approx(
        [float(data["loss_rec"]), float(data["loss_rec_sym"])], abs=1e-5)
    assert (float(parts.accuracy), float(parts.accuracy_complement)) == (data["mlm_acc"], data["mlm_acc_sym"])
    sum(model.losses(x, names, mask, data["codes"])).backward()
    check_gradients(model, data["grad_norms"], data["zero_or_no_grad"])
    rows = model.student.pos_embed.grad[0].abs().sum(dim=1).nonzero().flatten().tolist()
    assert rows == data["grad_pos_embed_rows_nonzero"]
    weights = golden("schedule_and_groups.json")["pretrain_depth2_param_groups"]
    groups = labram.parameter_groups(model, labram.PLANS["pretraining"], labram.RECIPES["official"])
    found = {name: group["weight_decay"] for group in groups for name in group["names"]}
    assert found == {name: row["weight_decay"] for name, row in weights.items()}
