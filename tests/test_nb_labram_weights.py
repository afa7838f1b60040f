"""Definitions of notebooks/labram.ipynb: weights in and out, recordings in, two processes with one codebook."""

import argparse
import hashlib
import json
import warnings

import mne
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from eegemo_utils import corpus
from eegemo_utils.notebooks import load_definitions
from tests.labram_reference import NAMES


@pytest.fixture
def released(labram, small, tmp_path):
    """A pretraining file as the released code writes it, with its arguments, and one key more."""
    torch.manual_seed(0)
    model = labram.MaskedModel(small, 40, labram.RECIPES["official"])
    path = tmp_path / "checkpoint.pth"
    args = argparse.Namespace(model="base", lr=5e-4)
    torch.save({"model": model.state_dict() | {"logit_scale": torch.ones(())}, "epoch": 3, "args": args}, path)
    return path, model


def test_pretraining_file(labram, small, released):
    path, model = released
    found = labram.MaskedModel.from_checkpoint(path)
    assert found.report == labram.LoadReport((), ("logit_scale",))
    assert found.recipe == labram.RECIPES["official"] and not found.training
    encoder = labram.LaBraM.from_checkpoint(path, n_outputs=5)
    assert set(encoder.report.missing) == {"fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"}
    assert {"norm.weight", "mask_token", "lm_head.weight", "logit_scale"} <= set(encoder.report.unexpected)
    assert "started fresh" in str(encoder.report)
    for name, part in encoder.state_dict().items():
        if name not in encoder.report.missing:
            assert torch.equal(part, model.student.state_dict()[name])
    assert labram.LaBraM.from_checkpoint(path)(torch.randn(1, 4, 2, 200), NAMES).shape == (1, 100)


def test_tokenizer_file_without_what_the_loader_drops(labram, small, tmp_path):
    model = labram.Tokenizer(small, 30, 8, 2, labram.RECIPES["official"], from_data=False)
    path = tmp_path / "vqnsp.pth"
    torch.save({"model": model.state_dict() | {"scaling_layer.scale": torch.ones(1)}}, path)
    found = labram.Tokenizer.from_checkpoint(path)
    x = torch.randn(2, 4, 2, 200)
    assert found.report.unexpected == ("scaling_layer.scale",) and found.quantize.embedding.ready
    assert torch.equal(found.codes(x, NAMES), model.eval().codes(x, NAMES))


def test_versions_in_a_name_stay(labram, small, tmp_path):
    paths = [labram.save_weights(labram.LaBraM(small), tmp_path / f"mine.v{number}") for number in (1, 2)]
    assert [path.name for path in paths] == ["mine.v1.safetensors", "mine.v2.safetensors"]
    assert all(labram.LaBraM.from_checkpoint(path).config["n_outputs"] == 0 for path in paths)


def test_a_model_is_no_tokenizer(labram, small, tmp_path):
    path = labram.save_weights(labram.MaskedModel(small, 30), tmp_path / "masked")
    with pytest.raises(labram.CheckpointError, match="holds no encoder.cls_token and no quantize.*to model_weights"):
        labram.check_is_tokenizer(path)
    labram.check_is_tokenizer(labram.save_weights(labram.Tokenizer(small, 30, 8, 1), tmp_path / "tokenizer"))


@pytest.mark.parametrize("recipe", ["official", "corrected"])
def test_own_files_give_the_same_model_back(labram, small, recipe, tmp_path):
    recipe = labram.RECIPES[recipe]
    x, mask = torch.randn(2, 4, 2, 200), labram.random_mask(2, 8)
    encoder = labram.LaBraM(small, n_outputs=3).eval()
    tokenizer = labram.Tokenizer(small, 30, 8, 1, recipe, decay=0.5)
    tokenizer(x, NAMES)
    masked = labram.MaskedModel(small, 30, recipe).eval()
    paths = [labram.save_weights(model, tmp_path / name)
             for model, name in ((encoder, "encoder"), (tokenizer.eval(), "tokenizer"), (masked, "masked"))]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{path.stem}.{end}" for path in paths for end in ("json", "safetensors"))
    with torch.no_grad():
        torch.testing.assert_close(labram.LaBraM.from_checkpoint(paths[0])(x, NAMES), encoder(x, NAMES))
        again = labram.Tokenizer.from_checkpoint(paths[1])
        assert torch.equal(again.codes(x, NAMES), tokenizer.codes(x, NAMES))
        assert again.config == tokenizer.config and again.recipe == recipe and again.quantize.decay == 0.5
        pair = labram.MaskedModel.from_checkpoint(paths[2]), masked
        torch.testing.assert_close(*(model.logits(x, NAMES, mask) for model in pair))
        moved = labram.LaBraM.from_checkpoint(paths[2])
    assert set(moved.report.missing) == {"fc_norm.weight", "fc_norm.bias"}


def test_files_that_cannot_be_used(labram, small, released, tmp_path):
    path, model = released
    whole = path.read_bytes()

    def refused(file, words, load=labram.MaskedModel.from_checkpoint, **options):
        with pytest.raises(labram.CheckpointError, match=words):
            load(file, **options)

    refused(tmp_path / "none.pth", "no such file")
    refused(tmp_path, "a folder; give the file in it")
    refused(path, "expected 12 layers of width 200, found 2", size="base")
    refused(path, "found 2 of width 100", labram.LaBraM.from_checkpoint, size="huge")
    refused(path, "no encoder.cls_token", labram.Tokenizer.from_checkpoint)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole[: len(whole) // 2])
    refused(cut, "truncated, damaged")
    unsafe = tmp_path / "unsafe.pth"
    torch.save({"model": model.state_dict(), "optimizer": small}, unsafe)
    refused(unsafe, "holding more than tensors")
    lacking = {name: part for name, part in model.state_dict().items() if "blocks.1.mlp" not in name}
    torch.save({"model": lacking}, cut)
    refused(cut, "lacks 4 tensors")
    wrong = model.state_dict() | {"student.pos_embed": torch.zeros(1, 20, 100)}
    torch.save({"model": wrong}, cut)
    refused(cut, r"pos_embed \(1, 20, 100\), expected \(1, 129, 100\)")
    torch.save([1, 2], cut)
    refused(cut, "expected a dictionary of tensors, found list")
    own = labram.save_weights(model, tmp_path / "own")
    refused(own, "holds a MaskedModel, expected a Tokenizer", lambda file: labram.from_description(
        labram.Tokenizer, json.loads(file.with_suffix(".json").read_text()), file))
    own.with_suffix(".json").unlink()
    refused(own, "own.json: no such file")


def test_weights_that_are_given_are_looked_at_first(labram, small, released, tmp_path):
    path, model = released
    assert labram.given_weights("model_weights", "") == (None, "")
    found, digest = labram.given_weights("model_weights", str(path))
    assert found == path and digest == f"checkpoint.pth, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    with pytest.raises(labram.CheckpointError, match="^tokenizer_weights: .*none.pth: no such file"):
        labram.given_weights("tokenizer_weights", str(tmp_path / "none.pth"))
    with pytest.raises(labram.CheckpointError, match="a folder"):
        labram.given_weights("model_weights", str(tmp_path))
    own = labram.save_weights(labram.LaBraM(small, 3), tmp_path / "own")
    for file in (path, own):
        labram.check_model_size(file, "tiny")
        with pytest.raises(labram.CheckpointError, match="holds a tiny model, model_size is base: set"):
            labram.check_model_size(file, "base")
        with pytest.raises(labram.CheckpointError, match="expected 12 layers of width 200, found 2 of width 100"):
            labram.start_model("file", "base", 3, file)
        assert len(labram.start_model("file", "tiny", 3, file).head.weight) == 3
    tokenizer = labram.save_weights(labram.Tokenizer(small, 30, 8, 1, from_data=False), tmp_path / "tokenizer")
    with pytest.raises(labram.CheckpointError, match="a tokenizer belongs to tokenizer_weights"):
        labram.check_model_size(tokenizer, "tiny")


@pytest.mark.parametrize("sfreq", [128.0, 200.0, 500.0])
def test_features_of_any_recording(labram, small, sfreq, capsys):
    names = ["Fp1", "Cz", "EEG O2-REF", "ECG", "EEG Fp1-LE"]
    rng = np.random.default_rng(0)
    raw = mne.io.RawArray(1e-5 * rng.normal(size=(5, int(10 * sfreq))), mne.create_info(names, sfreq, "eeg"),
                          verbose="error")
    torch.manual_seed(0)
    model = labram.LaBraM(small)
    features = labram.features_of_recording(raw, model, seconds=3)
    assert features.shape == (3, 100) and features.index.tolist() == [0, 3, 6]
    assert np.isfinite(features.to_numpy()).all()
    assert capsys.readouterr().out == "left out: ECG, EEG Fp1-LE\n"
    raw.info["bads"] = ["Cz"]
    assert labram.known_electrodes(raw) == ["Fp1", "EEG O2-REF"]
    with pytest.raises(labram.WindowError, match="less than a window of 4 s"):
        labram.features_of_recording(raw.copy().crop(0, 2), model)
    for seconds in (2.5, 0):
        with pytest.raises(labram.WindowError, match=f"whole number of at least 1, found {seconds}"):
            labram.features_of_recording(raw, model, seconds=seconds)
    for mains_hz in (0, 500):
        with pytest.raises(labram.WindowError, match=f"mains_hz must be 50 or 60, found {mains_hz}"):
            labram.features_of_recording(raw, model, mains_hz=mains_hz)
    with pytest.raises(labram.ChannelError, match="ECG"):
        labram.features_of_recording(raw.copy().pick(["ECG"]), model)


def test_preprocessing_keeps_the_band_and_the_unit(labram):
    sfreq, n = 512.0, 512 * 60
    t = np.arange(n) / sfreq
    tones = {hertz: 20 * np.sin(2 * np.pi * hertz * t) for hertz in (10.0, 50.0, 97.0)}
    # MNE's notch leaves -22 dB, its low-pass at 75 Hz more than -40 dB beyond 93.75 Hz.
    for hertz, kept, within in ((10.0, 1.0, 0.2), (50.0, 0.0, 1.5), (97.0, 0.0, 0.3)):
        clean = labram.preprocess(tones[hertz][None], sfreq)[0, 2000:-2000]
        assert clean.std() == pytest.approx(kept * 20 / 2**0.5, abs=within)
    assert labram.preprocess(100 + tones[10.0][None], sfreq).shape == (1, 200 * 60)
    assert abs(labram.preprocess(100 + tones[10.0][None], sfreq)[0, 2000:-2000].mean()) < 0.5
    short = labram.preprocess((100 + tones[10.0])[None, :2560], sfreq)  # 5 s: too short for the 0.1 Hz edge
    assert short.shape == (1, 1000) and abs(short.mean()) < 1
    assert labram.cut_patches(short, 2, 1.0).shape == (4, 1, 2, 200)
    assert labram.cut_patches(short, 2, 1.0)[1, 0, 0, 3] == pytest.approx(short[0, 203] / 100)
    assert [labram.longest_window(n) for n in (4, 19, 23, 62, 128)] == [16, 13, 11, 4, 2]


@pytest.mark.parametrize("sfreq, seconds", [(160.0, 40), (128.0, 40), (512.0, 10), (200.0, 4)])
def test_a_model_meets_the_signals_that_its_corpus_held(labram, sfreq, seconds):
    signal = 30 + np.random.default_rng(0).normal(0, 20, (2, int(seconds * sfreq)))
    wanted, _ = corpus.preprocess(signal, sfreq, notch=(60.0,))
    np.testing.assert_allclose(labram.preprocess(signal, sfreq, 60.0), wanted, atol=1e-4)
    assert np.abs(wanted.mean(axis=1)).max() < 4  # half of the offset where a short one meets the long filter


def one_of_two(rank: int, folder: str) -> None:
    """Half of the batch on each process; rank 0 writes its codebook, rank 1 too."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    labram = load_definitions("labram")
    torch.manual_seed(5 + rank)
    quantizer = labram.Quantizer(16, 8)
    torch.manual_seed(0 if rank == 0 else 99)  # rank 0 draws the first centres for both
    for batch in torch.load(f"{folder}/batches.pt", weights_only=True):
        quantizer(batch.chunk(2)[rank])
    torch.save(quantizer.state_dict(), f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_have_one_codebook_that_of_one_process(labram, tmp_path):
    torch.manual_seed(1)
    batches = [torch.randn(40, 8) for _ in range(3)]
    torch.save(batches, tmp_path / "batches.pt")
    multiprocessing.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    torch.manual_seed(0)
    alone = labram.Quantizer(16, 8)
    for batch in batches:
        alone(batch)
    for name, part in alone.state_dict().items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], part, atol=1e-5, rtol=0)


def test_no_warning_on_the_way(labram, small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenizer = labram.Tokenizer(small, 30, 8, 1)
        labram.tokenizer_losses(tokenizer, torch.randn(2, 4, 2, 200), NAMES).total.backward()
