"""Pretraining: losses fall, processes agree, a killed training goes on exactly, mistakes are named."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from corpora import FIVE, THREE, make_corpus
from pretraining_process import KILLED_AT, MASKED, TOKENIZER, both_stages

from eegemo_utils import corpus
from eegemo_utils.corpus.channels import labram_name
from eegemo_utils.notebooks import load_definitions
from eegemo_utils.pretrain import Settings, pretrain, training
from eegemo_utils.pretrain.__main__ import command_line, main
from eegemo_utils.pretrain.stages import step_noise

HERE = Path(__file__).parent
# Two processes add the same numbers in another order: after a step all is equal to rounding, then optimisers amplify it
ONE_OR_TWO = {"rtol": 2e-3, "atol": 2e-3}
PLAN = ((FIVE, 50.0), (THREE, 40.0), (FIVE, 30.0))
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretraining")
    make_corpus(folder / "corpus", PLAN)
    return folder


@pytest.fixture(scope="module")
def data(place):
    return corpus.open(place / "corpus")


@pytest.fixture(scope="module")
def alone(place, data):
    """Both stages on one process."""
    torch.set_num_threads(1)
    return both_stages(data, place / "one")


@pytest.fixture(scope="module")
def two(place):
    """The same on two processes, and a training of which one process is killed; torchrun starts both again."""
    script = [HERE / "pretraining_process.py", place / "corpus", place / "two"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "--max-restarts", "1", *map(str, script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        told, _ = process.communicate(timeout=600)
    finally:
        for left in [*psutil.Process(process.pid).children(recursive=True), process] if process.poll() is None else ():
            left.kill()
        process.wait()
    assert process.returncode == 0, told
    return place / "two"


# ---- one process ----

def test_both_losses_fall(alone, data):
    tokenizer, masked = (one.history for one in alone)
    assert list(tokenizer["step"]) == list(range(1, len(tokenizer) + 1)) and set(tokenizer["epoch"]) == {1, 2}
    assert set(tokenizer["n_chans"]) == {3, 5} and tokenizer["loss"].iloc[-5:].mean() < 1.85 < tokenizer["loss"][0]
    np.testing.assert_allclose(tokenizer["loss"], tokenizer[["quantizer", "amplitude", "phase"]].sum(axis=1), rtol=1e-5)
    assert masked["loss"][0] == pytest.approx(2 * np.log(32), abs=0.3)
    assert masked["loss"].iloc[-3:].mean() < masked["loss"][0] - 0.3
    assert masked["rate"].iloc[0] == 1e-3 and not alone[1].model.training


def test_the_folder_holds_weights_curve_and_two_checkpoints(place, data, alone):
    definitions = load_definitions("labram")
    for stage, kind, made in zip(("tokenizer", "masked"), ("Tokenizer", "MaskedModel"), alone):
        folder = place / "one" / stage
        names = sorted(path.name for path in folder.iterdir())
        assert {name for name in names if not name.startswith("checkpoint-")} == {
            ".lock", "history.csv", f"{stage}.json", f"{stage}.safetensors", "settings.json"}
        pd.testing.assert_frame_equal(pd.read_csv(folder / "history.csv"), made.history)
        loaded = getattr(definitions, kind).from_checkpoint(folder / f"{stage}.safetensors").state_dict()
        assert all(torch.equal(value, loaded[name]) for name, value in made.model.state_dict().items())
    again = pretrain("tokenizer", data, place / "one" / "tokenizer", **TOKENIZER)  # nothing is left to do
    pd.testing.assert_frame_equal(again.history, alone[0].history)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("stop", [3, 11])
def test_a_stopped_training_goes_on_exactly(tmp_path, data, alone, stop, monkeypatch):
    options = MASKED | {"tokenizer": alone[0].model, "micro_batch": 3, "checkpoint_every": 2}
    pretrain("masked", data, tmp_path, max_steps=stop, **options)
    torch.rand(100)  # another state of the random generator
    steps = []
    monkeypatch.setattr(training, "step_noise", lambda *about: steps.append(about[1]) or step_noise(*about))
    made = pretrain("masked", data, tmp_path, **options)
    assert steps[0] == stop and len(steps) == len(made.history) - stop
    pd.testing.assert_frame_equal(made.history, alone[1].history)
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, alone[1].model.state_dict()[name])


def test_a_damaged_checkpoint_costs_a_few_steps_only(tmp_path, data, alone):
    options = TOKENIZER | {"checkpoint_every": 2}
    pretrain("tokenizer", data, tmp_path, max_steps=6, **options)
    kept = sorted(tmp_path.glob("checkpoint-*"))
    assert [path.name for path in kept] == ["checkpoint-000000004.pt", "checkpoint-000000006.pt"]
    kept[1].write_bytes(kept[1].read_bytes()[:-500])
    with pytest.warns(UserWarning, match="000000006.pt: a truncated or damaged checkpoint") as told:
        made = pretrain("tokenizer", data, tmp_path, **options)
    assert len(told) == 1  # the other one is whole
    pd.testing.assert_frame_equal(made.history, alone[0].history)


def test_parts_of_a_batch_add_up_to_it(data, alone):
    whole = pretrain("masked", data, tokenizer=alone[0].model, max_steps=6, **MASKED).history
    np.testing.assert_allclose(whole["loss"], alone[1].history["loss"][:6], rtol=1e-4)


def test_recipe_and_precision_change_little_at_the_start(data, alone):
    first = alone[1].history["loss"][:2]
    for change in ({"recipe": "official"}, {"precision": "bf16"}, {"symmetric": False}):
        made = pretrain("masked", data, tokenizer=alone[0].model, max_steps=2, **MASKED | change).history
        share = 0.5 if "symmetric" in change else 1
        assert not np.allclose(made["loss"], first, atol=1e-6) and np.allclose(made["loss"], share * first, atol=0.3)
    made = pretrain("tokenizer", data, max_steps=2, recipe="official", **TOKENIZER)
    assert made.history["rate"][0] == pytest.approx(1e-3 * TOKENIZER["batch_size"] / 128)


def test_corpus_and_notebook_have_the_same_table_of_channels():
    rows = load_definitions("labram").ROW_OF
    assert {name: row for name, row in rows.items() if row <= 128} == {
        name.upper(): row for row, name in enumerate(corpus.LABRAM_CHANNELS, 1)}
    bare_name = load_definitions("labram").bare_name
    for name in ("EEG Fp1-REF", "t3", "EEG T3-LE", "C3-A2", "Cz-AVG", "O1-M1", "FP1-F7"):
        assert bare_name(name) == labram_name(name)


# ---- two processes ----

@pytest.mark.slow
def test_two_processes_learn_what_one_learns(two, alone):
    for stage, made in zip(("tokenizer", "masked"), alone):
        curve = pd.read_csv(two / stage / "history.csv")
        np.testing.assert_allclose(curve.iloc[:3], made.history.iloc[:3], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(curve["loss"], made.history["loss"], **ONE_OR_TWO)


def test_weights_and_codebook_are_the_same_on_both_processes(two, alone):
    first, second = (torch.load(two / f"weights-{rank}.pt") for rank in (0, 1))
    for one, other in zip(first, second):
        assert all(torch.equal(value, other[name]) for name, value in one.items())
    codebook = alone[0].model.quantize.embedding.weight
    close = torch.isclose(first[0]["quantize.embedding.weight"], codebook, atol=0.02).all(dim=1)
    assert close.float().mean() > 0.9  # and those of one process, but for codes at a tie


def test_a_killed_process_costs_nothing_but_time(two):
    before, after = (json.loads((two / f"steps-{attempt}-0.json").read_text()) for attempt in "01")
    assert before == list(range(KILLED_AT + 1)) or before == list(range(KILLED_AT))
    curve = pd.read_csv(two / "killed" / "history.csv")
    assert after == list(range(KILLED_AT // 2 * 2, len(curve)))  # from the last checkpoint on
    pd.testing.assert_frame_equal(curve, pd.read_csv(two / "tokenizer" / "history.csv"))


# ---- mistakes ----

@pytest.mark.parametrize("change, message", [
    ({"size": "small"}, "size must be one of tiny"), ({"epochs": 0}, "epochs must be a whole number of at least 1"),
    ({"mask_ratio": 1.0}, "mask_ratio between 0 and 1"), ({"stage": "both"}, "stage must be one of"),
    ({"n_codes": 16}, "n_codes: for the tokenizer stage only, this is the masked stage"),
    ({"stage": "tokenizer", "mask_ratio": 0.4, "symmetric": False}, "mask_ratio, symmetric: for the masked stage only"),
    ({"stage": "tokenizer", "micro_batch": 2}, "micro_batch is for the masked stage")])
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**({"stage": "masked"} | change))


def test_mistakes_are_named(tmp_path, place, data, alone, capsys):
    with pytest.raises(ValueError, match="needs a tokenizer"):
        pretrain("masked", data, **MASKED)
    with pytest.raises(ValueError, match="fewer epochs of warm-up than epochs, found 10 and 1"):
        pretrain("tokenizer", data, size="tiny", batch_size=8, epochs=1)
    with pytest.raises(ValueError, match="holds another training: peak_rate was 0.001, is 0.01"):
        pretrain("tokenizer", data, place / "one" / "tokenizer", **TOKENIZER | {"peak_rate": 0.01})
    with pytest.raises(ValueError, match="corpus was"):
        pretrain("tokenizer", data.part(0.01, 0), place / "one" / "tokenizer", **TOKENIZER | {"batch_size": 8})
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match="found other files"):
        pretrain("tokenizer", data, tmp_path, **TOKENIZER)
    with pytest.raises(ValueError, match="loss of step .* is not finite"):
        pretrain("tokenizer", data, **TOKENIZER | {"peak_rate": 1e30})
    assert main(["tokenizer", str(tmp_path / "none"), "--out", str(tmp_path / "x")]) == 2
    assert "expected a corpus, found nothing there" in capsys.readouterr().err


def test_the_command_trains(place, tmp_path, capfd):
    words = ["tokenizer", str(place / "corpus"), "--out", str(tmp_path / "out"), "--max-steps", "2", "--hours", "0.02"]
    for name in ("size", "batch_size", "n_patches", "n_codes", "code_dim", "n_decoder_layers", "epochs", "peak_rate",
                 "warmup_epochs", "device"):
        words += [f"--{name.replace('_', '-')}", str(TOKENIZER[name])]
    assert main(words) == 0 and main([*words, "--checkpoint-every", "1", "--max-steps", "3"]) == 0
    told = "".join(capfd.readouterr())
    assert "goes on after step 2" in told and "stopped after step 3 of" in told and "no weights were written" in told
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert len(history) == 3
    assert main([*words, "--max-steps", "1000"]) == 0
    told, history = "".join(capfd.readouterr()), pd.read_csv(tmp_path / "out" / "history.csv")
    assert f"epoch 2 of 2: loss {history.loc[history.epoch == 2, 'loss'].mean():.4f}" in told
    assert f"wrote {tmp_path / 'out' / 'tokenizer.safetensors'}" in told and "stopped" not in told


def test_help_lists_what_can_be_chosen(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for choices in ("{tiny,base,large,huge}", "{corrected,official}", "{float32,bf16}"):
        assert choices in told


def test_options_are_the_settings():
    words = ["masked", "a", "b", "--out", "c", "--batch-size", "4", "--peak-rate", "0.1", "--not-symmetric"]
    arguments = command_line().parse_args(words)
    assert (arguments.batch_size, arguments.peak_rate, arguments.symmetric) == (4, 0.1, False)
    assert arguments.corpus == ["a", "b"] and arguments.n_codes == 8192 and arguments.epochs is None
