"""Definitions of notebooks/labram.ipynb: shapes, gradients, recipes, what each part may and may not see."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from eegemo_utils import splits
from tests import labram_reference as plain
from tests.labram_reference import NAMES


def shaken(model):
    """No weight at a trivial value."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("recipe", ["official", "corrected"])
def test_gradient_reaches_every_parameter(labram, small, recipe):
    recipe = labram.RECIPES[recipe]
    x, mask = torch.randn(3, 4, 2, 200), labram.random_mask(3, 8)
    tokenizer = labram.Tokenizer(small, 30, 8, 1, recipe)
    masked = labram.MaskedModel(small, 30, recipe)
    encoder = labram.LaBraM(small, n_outputs=3)
    labram.tokenizer_losses(tokenizer, x, NAMES).total.backward()
    sum(labram.masked_losses(masked, tokenizer.eval(), x, NAMES, mask)[:2]).backward()
    encoder(x, NAMES).square().sum().backward()
    # softmax does not see a key's bias; official: two heads that nothing trains
    for model in (tokenizer, masked, encoder):
        lost = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
        dead = {f"student.lm_head.{w}" for w in ("weight", "bias")} | {
            f"projection_head.0.{w}" for w in ("weight", "bias")}
        assert lost - {n for n in lost if n.endswith("k_norm.bias")} == (
            dead if model is masked and recipe.dead_heads else set())
    row = masked.student.pos_embed.grad[0, 0].abs().sum()
    assert (row == 0) == recipe.class_takes_first_channel


def test_channels_may_come_in_any_order(labram, small):
    model = shaken(labram.LaBraM(small, n_outputs=2)).eval()
    x = torch.randn(2, 4, 3, 200)
    order = [2, 0, 3, 1]
    with torch.no_grad():
        torch.testing.assert_close(model(x[:, order], [NAMES[i] for i in order]), model(x, NAMES))
        assert not torch.allclose(model(x[:, order], NAMES), model(x, NAMES), atol=1e-3)
        blind = shaken(labram.LaBraM(small, n_outputs=2, spatial=False)).eval()
        torch.testing.assert_close(blind(x[:, order], NAMES), blind(x, NAMES))


@pytest.mark.parametrize("n_tokens, dtype", [(100, torch.float32), (200, torch.float32), (200, torch.bfloat16)])
def test_attention_is_the_formula_at_any_length(labram, small, n_tokens, dtype):
    attn = shaken(labram.Attention(100, 5)).to(dtype)
    x = torch.randn(2, n_tokens, 100, dtype=dtype)
    with torch.no_grad():
        assert (attn(x) - plain.attention(attn, x)).abs().max() < (1e-5 if dtype == torch.float32 else 0.1)


@pytest.mark.parametrize("n_codes", [8192, 30, 31])
def test_the_largest_product_is_that_of_argmax(labram, n_codes):
    products = torch.randint(50, (300, n_codes)).float()  # many ties: the first counts
    assert torch.equal(labram.largest(products), torch.from_numpy(products.numpy().argmax(axis=1)))


@pytest.mark.parametrize("sees", [True, False])
def test_hidden_patches_leak_through_the_norms_in_the_official_recipe_only(labram, small, sees):
    recipe = replace(labram.RECIPES["corrected"], norm_sees_hidden=sees)
    model = shaken(labram.MaskedModel(small, 30, recipe)).eval()
    x, mask = torch.randn(1, 4, 2, 200), labram.random_mask(1, 8)
    louder = torch.where(mask.view(1, 4, 2, 1), 5 * x, x)
    with torch.no_grad():
        moved = (model.attended(louder, NAMES, mask[None]) - model.attended(x, NAMES, mask[None])).abs().max()
    assert moved > 0.01 if sees else moved < 1e-5


def test_visible_norm_equals_group_norm_of_the_visible_part(labram):
    torch.manual_seed(0)
    norm = nn.GroupNorm(4, 8)
    nn.init.normal_(norm.weight)
    x, visible = torch.randn(2, 8, 6, 25), torch.tensor([[1, 1, 0, 1, 0, 1], [0, 1, 1, 0, 1, 1]]).bool()
    found = labram.visible_group_norm(x, norm, visible)
    for i in range(2):
        torch.testing.assert_close(found[i, :, visible[i]], norm(x[i : i + 1, :, visible[i]])[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("ratio, hidden", [(0.5, 6), (0.4, 5), (0.1, 2)])
def test_masks_hide_the_same_number_everywhere(labram, ratio, hidden):
    masks = labram.random_mask(50, 11, ratio, torch.Generator().manual_seed(0))
    assert (masks.sum(dim=1) == hidden).all() and len(torch.unique(masks, dim=0)) > 20
    assert torch.equal(masks, labram.random_mask(50, 11, ratio, torch.Generator().manual_seed(0)))


def test_first_loss_is_two_ln_v_and_one_view_learns_less(labram, small):
    model = labram.MaskedModel(small, 500)
    x, mask, codes = torch.randn(4, 4, 2, 200), labram.random_mask(4, 8), torch.randint(500, (4, 8))
    parts = model(x, NAMES, mask, codes)
    assert sum(model.losses(x, NAMES, mask, codes)).item() == pytest.approx(2 * math.log(500), abs=0.2)
    one = model(x, NAMES, mask, codes, symmetric=False)
    torch.testing.assert_close(one.hidden, parts.hidden)
    assert one.complement.item() == 0 and not one.complement.requires_grad


def test_tokenizer_and_masked_model_overfit_a_batch(labram, small):
    torch.manual_seed(0)
    t = torch.arange(200) / 200
    hertz = torch.tensor([4.0, 8.0, 12.0, 20.0])[:, None, None] * torch.tensor([1.0, 2.0])[:, None]
    x = torch.sin(2 * math.pi * hertz * t).expand(4, 4, 2, 200) + 0.1 * torch.randn(4, 4, 2, 200)
    tokenizer, masked = labram.Tokenizer(small, 16, 8, 1), labram.MaskedModel(small, 16)
    plan = labram.Plan(4, 35, 2, 5e-3, 1e-4, 0.99, 0.0)
    rates = labram.step_rates(plan, 1)
    first, optimizer = labram.tokenizer_losses(tokenizer, x, NAMES), labram.make_optimizer(tokenizer, plan)
    for rate in rates:
        last = labram.tokenizer_losses(tokenizer, x, NAMES)
        labram.descend([last.total], tokenizer, optimizer, rate, plan.clip)
    assert last.amplitude < 0.5 * first.amplitude
    tokenizer.eval()
    optimizer, generator = labram.make_optimizer(masked, plan), torch.Generator().manual_seed(0)
    for rate in rates:
        mask = labram.random_mask(4, 8, generator=generator)
        parts = labram.masked_losses(masked, tokenizer, x, NAMES, mask)
        labram.descend([parts.hidden + parts.complement], masked, optimizer, rate, 3.0)
    assert parts.accuracy > 0.9


def test_tokenizer_learns_from_windows_of_one_patch(labram, small):
    tokenizer = labram.Tokenizer(small, 16, 8, 1)
    labram.tokenizer_losses(tokenizer, torch.randn(2, 4, 1, 200), NAMES).total.backward()
    assert tokenizer.codes(torch.randn(2, 1, 1, 200), ["CZ"]).shape == (2, 1)


@pytest.mark.parametrize("recipe", ["official", "corrected"])
def test_looking_at_codes_changes_nothing_but_the_official_counts(labram, small, recipe):
    tokenizer = labram.Tokenizer(small, 16, 8, 1, labram.RECIPES[recipe], from_data=False).eval()
    before = {name: part.clone() for name, part in tokenizer.state_dict().items()}
    x = torch.randn(2, 4, 2, 200)
    tokenizer.codes(x, NAMES)
    assert all(torch.equal(part, before[name]) for name, part in tokenizer.state_dict().items())
    with torch.no_grad():
        tokenizer(x, NAMES)
    changed = {name for name, part in tokenizer.state_dict().items() if not torch.equal(part, before[name])}
    assert changed == ({"quantize.cluster_size"} if recipe == "official" else set())


def test_codes_are_looked_up_in_full_precision_under_autocast(labram):
    torch.manual_seed(0)
    z, codebook = labram.unit(torch.randn(2000, 16)), labram.unit(torch.randn(512, 16))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(labram.nearest_codes(z, codebook), (z.double() @ codebook.double().T).argmax(1))
        assert ((z @ codebook.T).argmax(1) != labram.nearest_codes(z, codebook)).any()


def test_flags_of_the_recipe_change_what_they_say(labram, small):
    official, corrected = labram.RECIPES["official"], labram.RECIPES["corrected"]
    assert labram.layer_of("time_embed", 12, official) == 13 and labram.layer_of("time_embed", 12, corrected) == 0
    plan = labram.PLANS["tokenizer"]
    assert labram.step_rates(plan, 1, official, "tokenizer").max() == pytest.approx(8 * plan.peak_rate)
    assert labram.step_rates(plan, 1, corrected, "tokenizer").max() == pytest.approx(plan.peak_rate)
    names = {name: set(labram.Tokenizer(small, 16, 8, 1, r).state_dict()) for name, r in labram.RECIPES.items()}
    assert any("q_norm" in n for n in names["corrected"]) and not any("q_norm" in n for n in names["official"])
    assert any("q_bias" in n for n in names["official"]) and not any("q_bias" in n for n in names["corrected"])
    one_class = np.array([[0.3], [-0.2]]), np.array([1, 1]), "binary"
    assert labram.task_scores(*one_class, one_class_zero=True)["auroc"] == 0.0
    assert math.isnan(labram.task_scores(*one_class)["auroc"])


def test_windows_that_cannot_be(labram, small):
    model = labram.LaBraM(small).eval()
    good = torch.randn(2, 4, 2, 200)

    def refused(x, names, words, error=labram.WindowError):
        with pytest.raises(error, match=words):
            model(x, names)

    refused(good[..., :100], NAMES, "resample to 200 Hz")
    refused(good[:, :, :0], NAMES, "1 to 16 patches")
    refused(torch.randn(1, 4, 17, 200), NAMES, "found 17")
    refused(good, NAMES[:3], "4 channels, but 3 names")
    refused(good, ["CZ", "O1", "EKG", "FP1-F3"], "EKG, FP1-F3", labram.ChannelError)
    refused(good, ["CZ", "O1", "T3", "EEG Cz-REF"], "more than once: CZ", labram.ChannelError)
    broken = good.clone()
    broken[1, 2, 0, 7] = torch.nan
    refused(broken, NAMES, "NaN or infinity in T3")
    for factor in (100.0, 1e-4):
        with pytest.warns(UserWarning, match="expected 0.005 to 10 in units of 0.1 mV"):
            model(factor * good, NAMES)
    flat = good.clone()
    flat[:, 1] = 0
    with pytest.warns(UserWarning, match="flat in every window: O1"):
        model(flat, NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(good, NAMES)


@pytest.fixture
def float64():
    """PyTorch's default type for a test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_in_float64_nothing_is_rounded_to_less(labram, float64, small):
    X, names, recipe = torch.randn(8, 4, 2, 200).half(), NAMES, labram.RECIPES["corrected"]
    tokenizer, encoder = labram.Tokenizer(small, 16, 8, 1), labram.LaBraM(small, 1)
    masked = labram.MaskedModel(small, 16)
    how, seen = {"recipe": recipe, "precision": "float64"}, []

    def look(module, given, made):
        seen.extend(part.dtype for part in (*given, made) if torch.is_tensor(part) and part.is_floating_point())

    for model in (tokenizer, masked, encoder):
        for part in model.modules():
            part.register_forward_hook(look)
    plan = replace(labram.PLANS["pretraining"], batch_size=4, epochs=1, warmup_epochs=0)
    labram.train_tokenizer(tokenizer, X, np.arange(8), names, plan, **how)
    labram.pretrain(masked, tokenizer, X, np.arange(8), names, plan, **how)
    fold = splits.Split("x", "published", np.arange(4), np.array([4, 5]), np.array([6, 7]))
    outputs, _ = labram.finetune(encoder, X, torch.arange(8) % 2, fold, names, labram.Task("binary", ("a", "b")), plan,
                                 **how)
    assert outputs.dtype == np.float64 and set(seen) == {torch.float64} and len(seen) > 100
    assert labram.electrode_features(encoder, X, names).dtype == np.float64
    vectors = labram.MaskedModel(small, 8)
    views = labram.rebuilt_losses(vectors, tokenizer, X.double(), names, labram.random_mask(8, 8), "vectors")
    assert {view.dtype for view in views} == {torch.float64}


def test_windows_are_held_in_16_bits_whatever_the_run_computes_in(labram, float64):
    parts = labram.load_parts("simulated", "", 0, effect=0.0)
    windows, _, _ = labram.make_windows(parts, "simulated", labram.TASKS["simulated"], 2, 4.0, labram.preprocess)
    assert windows.X.dtype == np.float16


def test_counts_of_codes_are_those_of_bincount(labram):
    codes = torch.randint(7, (500,))
    assert torch.equal(labram.count_codes(codes, 9), torch.bincount(codes, minlength=9))


def test_a_value_that_cannot_be_is_found_in_any_window(labram):
    x = torch.randn(600, 4, 1, 200).half()
    labram.check_windows(x, NAMES)
    x[599, 2, 0, 7] = torch.nan
    with pytest.raises(labram.WindowError, match="NaN or infinity in T3"):
        labram.check_windows(x, NAMES)
