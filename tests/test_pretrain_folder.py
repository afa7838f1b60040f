"""What a pretraining keeps and says: checkpoints, signals, the lock, codes in use, left-out montages, help."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import filelock
import pandas as pd
import pytest
from corpora import FIVE, THREE, make_corpus
from pretraining_process import MASKED, TOKENIZER

from eegemo_utils import corpus
from eegemo_utils.notebooks import load_definitions
from eegemo_utils.pretrain import pretrain, settings, training
from eegemo_utils.pretrain.__main__ import command_line, main
from eegemo_utils.pretrain.stages import codes_in_use, step_noise

HERE = Path(__file__).parent
EPOCH = 4  # steps


@pytest.fixture(autouse=True)
def usual_handlers():
    """As in a fresh process: dask_jobqueue, which other tests load, puts its own in their place."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    make_corpus(folder / "corpus", ((FIVE, 36.0), (THREE, 8.0)))  # 34 and 6 windows: batches of 8 leave THREE out
    return folder / "corpus"


@pytest.fixture(scope="module")
def data(place):
    return corpus.open(place)


def words_of(place, out, **changes):
    """The command line of a small tokenizer's training."""
    words = ["tokenizer", str(place), "--out", str(out)]
    for name, value in ({name: one for name, one in TOKENIZER.items() if name != "progress"} | changes).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def at_step(monkeypatch, number, act):
    """Call `act` in the step of that number, from 0."""
    def watched(settings, step, *sizes):
        if step == number:
            act()
        return step_noise(settings, step, *sizes)

    monkeypatch.setattr(training, "step_noise", watched)


def die():
    raise MemoryError("killed")


pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore:montages with fewer windows")]


# ---- checkpoints and signals ----

def test_each_epoch_ends_with_a_checkpoint(tmp_path, data, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        at_step(patched, EPOCH + 2, die)
        pretrain("tokenizer", data, tmp_path, **TOKENIZER)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == [f"checkpoint-{EPOCH:09d}.pt"]
    steps = []
    monkeypatch.setattr(training, "step_noise", lambda *about: steps.append(about[1]) or step_noise(*about))
    made = pretrain("tokenizer", data, tmp_path, **TOKENIZER)
    assert steps == list(range(EPOCH, 2 * EPOCH))
    pd.testing.assert_frame_equal(made.history, pretrain("tokenizer", data, **TOKENIZER).history)


@pytest.mark.parametrize("number, code, name", [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_saves_and_says_where_it_goes_on(place, tmp_path, data, number, code, name, monkeypatch, capfd):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        at_step(patched, EPOCH + 1, lambda: os.kill(os.getpid(), number))
        assert main(words_of(place, tmp_path)) == code
    told = capfd.readouterr().err
    assert f"eegemo: stopped by {name}: the same command goes on after step {EPOCH + 2}\n" in told
    assert "Traceback" not in told and handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    assert main(words_of(place, tmp_path)) == 0
    assert f"goes on after step {EPOCH + 2}" in "".join(capfd.readouterr())
    made = pd.read_csv(tmp_path / "history.csv")
    pd.testing.assert_frame_equal(made, pretrain("tokenizer", data, **TOKENIZER).history)


def test_a_second_signal_ends_at_once(place, tmp_path, monkeypatch, capfd):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    at_step(monkeypatch, 1, twice)
    assert main(words_of(place, tmp_path)) == 130
    assert "stopped by Ctrl-C: no checkpoint was written yet, the same command begins anew" in capfd.readouterr().err


def test_settings_alone_do_not_block_a_folder(tmp_path, data, monkeypatch, capfd):
    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        at_step(patched, 1, die)
        pretrain("tokenizer", data, tmp_path, **TOKENIZER)
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["settings.json"]
    pretrain("tokenizer", data, tmp_path, max_steps=1, **TOKENIZER | {"progress": True})
    assert "begins anew: the folder holds no checkpoint" in "".join(capfd.readouterr())
    for path in tmp_path.glob("[!s]*"):
        path.unlink()
    pretrain("tokenizer", data, tmp_path, max_steps=1, **TOKENIZER | {"peak_rate": 1e-2})
    assert '"peak_rate": 0.01' in (tmp_path / "settings.json").read_text()
    with pytest.raises(ValueError, match="another training: peak_rate was 0.01"):
        pretrain("tokenizer", data, tmp_path, **TOKENIZER)


# ---- the lock ----

def test_a_second_training_is_refused(place, tmp_path, capfd):
    tmp_path.joinpath("out").mkdir()
    with filelock.FileLock(tmp_path / "out" / ".lock"):
        assert main(words_of(place, tmp_path / "out")) == 2
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("eegemo")]
    assert told == [f"eegemo: {tmp_path / 'out'}: another training is at work there now. Wait for it, or give a new "
                    f"folder."]
    assert main(words_of(place, tmp_path / "out", max_steps=1)) == 0
    assert main(words_of(place, tmp_path / "out", peak_rate=0.1)) == 2  # and this refusal lets go of it
    assert main(words_of(place, tmp_path / "out", max_steps=2)) == 0


def test_the_lock_of_a_killed_process_does_not_block(place, tmp_path):
    hold = ("import filelock, sys; one = filelock.FileLock(sys.argv[1]); one.acquire(); print('held', flush=True); "
            "input()")
    process = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path / ".lock")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        assert main(words_of(place, tmp_path, max_steps=1)) == 2
    finally:
        process.kill()
        process.communicate()
    assert main(words_of(place, tmp_path, max_steps=1)) == 0


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_two(words, port):
    """Two processes, as torchrun starts them."""
    about = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
             "PYTHONPATH": str(HERE.parent)}
    return [subprocess.Popen([sys.executable, "-m", "eegemo_utils.pretrain", *words], text=True,
                             env=os.environ | about | {"RANK": rank, "LOCAL_RANK": rank}, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) for rank in "01"]


def ends_of(processes):
    """Exit codes and what the processes said on stderr."""
    try:
        told = [one.communicate(timeout=120)[1] for one in processes]
    finally:
        for one in processes:
            one.kill()
            one.wait()
    return [one.returncode for one in processes], told


@pytest.mark.slow
def test_two_processes_end_together(place, tmp_path):
    with filelock.FileLock(tmp_path / ".lock"):
        codes, told = ends_of(start_two(words_of(place, tmp_path), free_port()))
    assert codes == [2, 2] and "eegemo: process 0: " in told[0] and "another training is at work" in told[0]
    assert "eegemo" not in told[1].replace("eegemo_utils", "") and "Traceback" not in "".join(told)
    processes = start_two(words_of(place, tmp_path, epochs=100_000), free_port())
    until = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoint-*")) and time.monotonic() < until:
        time.sleep(0.05)
    for one in processes:
        one.send_signal(signal.SIGTERM)
    codes, told = ends_of(processes)
    assert codes == [143, 143] and "Traceback" not in "".join(told), told
    step = int(re.search(r"eegemo: stopped by SIGTERM: the same command goes on after step (\d+)\n", told[0])[1])
    assert step == max(int(path.stem[-9:]) for path in tmp_path.glob("checkpoint-*")) and "stopped" not in told[1]


# ---- what is said ----

def test_montages_without_a_batch_are_named(place, data, tmp_path, capfd):
    with pytest.warns(UserWarning, match="fewer windows than the 8 of a batch are left out: 3 channels from F3 to T3: "
                                         "6 windows of 3 s. A smaller batch_size") as told:
        pretrain("tokenizer", data, max_steps=1, **TOKENIZER)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(words_of(place, tmp_path, max_steps=1)) == 0
    assert capfd.readouterr().err.splitlines()[0] == f"eegemo: {told[0].message}"
    changed = pretrain("tokenizer", data, max_steps=10, **TOKENIZER | {"batch_size": 6}).history
    assert set(changed["n_chans"]) == {3, 5}


def test_codes_in_use_are_said(data, tmp_path, capfd):
    made = pretrain("tokenizer", data, tmp_path, **TOKENIZER | {"progress": True})
    counts = made.model.quantize.cluster_size.double()
    shares = counts[counts > 0] / counts.sum()
    used = float((-(shares * shares.log()).sum()).exp())
    assert codes_in_use(made.model.quantize) == pytest.approx(used) and 2 < used < 32
    told = "".join(capfd.readouterr())
    assert f"{used:.1f} of 32 codes in use (perplexity)\n" in told and told.count("codes in use") == 2
    pretrain("masked", data, tokenizer=made.model, max_steps=1, **MASKED | {"progress": True, "stride_seconds": 1})
    assert f"the tokenizer: {used:.1f} of 32 codes in use" in "".join(capfd.readouterr())


def test_a_collapsed_codebook_is_warned_of(data, monkeypatch, recwarn):
    tokenizer = load_definitions("labram").Tokenizer("tiny", 32, 8, 1)
    options = MASKED | {"max_steps": 1, "stride_seconds": 1}
    pretrain("masked", data, tokenizer=tokenizer, **options)
    assert codes_in_use(tokenizer.quantize) is None and "collapsed" not in "".join(str(one.message) for one in recwarn)
    tokenizer.quantize.cluster_size[7] = 5.0
    with pytest.warns(UserWarning, match="uses 1.0 of its 32 codes .* collapsed"):
        pretrain("masked", data, tokenizer=tokenizer, **options)
    monkeypatch.setattr("eegemo_utils.pretrain.stages.FEWEST_USED", 1.0)
    with pytest.warns(UserWarning, match="of its 32 codes .* collapsed"):
        pretrain("tokenizer", data, **TOKENIZER)


def test_help_gives_the_papers_values():
    definitions = load_definitions("labram")
    plans = [asdict(definitions.PLANS[name]) for name in settings.PLANS.values()]
    told = {action.dest: action.help for action in command_line()._actions}
    for name in ("batch_size", "epochs", "warmup_epochs", "peak_rate"):
        first, second = (plan[name] for plan in plans)
        assert f"default: {first} / {second} (tokenizer / masked stage)" in told[name]
    strides = definitions.STRIDE_SECONDS
    assert f"default: {strides['tokenizer']} / {strides['pretraining']} (tok" in told["stride_seconds"]
    assert "at most 256 patches, and at most 16" in told["n_patches"]
    names = {one.name for one in settings.fields(settings.Settings)} - {"stage", "symmetric"}
    assert names == set(settings.HELP) and all(told[name].count("default: ") == 1 for name in names)
    for stage, own in settings.OF_ONE_STAGE.items():
        assert all(told[name].startswith(f"{stage} stage; ") for name in own)
