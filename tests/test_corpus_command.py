"""`eegemo corpus`: what it counts, what it says of skipped, changed and doubtful files, its options."""

import json

import numpy as np
import pytest
from test_corpus import save_edf, save_fif

from eegemo_utils.cli import main
from eegemo_utils.corpus import index


def test_the_command(tmp_path, capsys):
    save_edf(tmp_path / "in" / "a.edf")
    assert main(["corpus", "build", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1", "--notch", "none"]) == 0
    said = capsys.readouterr().out
    assert "1 recordings, 0.01 h: 3 channels" in said and said.splitlines()[-1] == "1 file: 1 kept, 0 skipped"
    assert json.loads((tmp_path / "out" / index.NAME).read_text())["settings"].startswith('{"notch": []')
    assert [main(["corpus", command, str(tmp_path / "out")]) for command in ("check", "list")] == [0, 0]
    assert "a.edf        3     40.0        0" in capsys.readouterr().out
    for words in (["check", "none"], ["list", "none"], ["build", "none", str(tmp_path / "x")]):
        assert main(["corpus", *words]) == 1


def test_mains_frequencies_take_no_other_words(tmp_path):
    save_edf(tmp_path / "in" / "a.edf")
    words = ["corpus", "build", "--notch", "60,70", "--notch", "50", str(tmp_path / "in"), str(tmp_path / "out")]
    assert main([*words, "--jobs", "1"]) == 0
    settings = json.loads((tmp_path / "out" / index.NAME).read_text())["settings"]
    assert settings.startswith('{"notch": [60.0, 70.0, 50.0]')
    with pytest.raises(SystemExit):
        main(["corpus", "build", "--notch", "0", "in", "out"])


def test_skipped_and_changed_files_are_counted_and_named(tmp_path, capsys):
    command = ["corpus", "build", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1"]
    save_edf(tmp_path / "in" / "a.edf")
    for name in "bc":
        (tmp_path / "in" / f"{name}.edf").write_bytes(b"cut off")
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 files: 1 kept, 2 skipped; the lines that begin with `skipped` say why"
    assert sum("skipped: " in line for line in lines) == 2
    save_edf(tmp_path / "in" / "a.edf", seed=9)
    assert main(command) == 0
    assert "a.edf: the file has changed since its recording was made; it is made anew" in capsys.readouterr().err
    assert main(command) == 0 and "has changed" not in capsys.readouterr().err
    (tmp_path / "in" / "a.edf").write_bytes(b"cut off")
    assert main([*command[:3], str(tmp_path / "new"), "--jobs", "1"]) == 1
    assert "no file could be used, 3 skipped: " in capsys.readouterr().err


@pytest.mark.parametrize(("volts", "said"), [
    (2e-2, "2e+04 microvolt (median over channels), expected 0.5 to 500: times 0.001 it would be 20, so the file "
           "probably names millivolt for numbers in microvolt"),
    (2e-8, "0.02 microvolt (median over channels), expected 0.5 to 500: times 1000 it would be 20, so the file "
           "probably names microvolt for numbers in millivolt"),
    (8e-4, "8e+02 microvolt (median over channels), expected 0.5 to 500: no mistake between volt")])
def test_a_wrong_unit_is_told_once_with_the_likely_factor(tmp_path, capfd, volts, said):
    (tmp_path / "in").mkdir()
    save_fif(tmp_path / "in" / "a_raw.fif", np.random.default_rng(0).normal(0, volts, (2, 7000)))
    assert main(["corpus", "build", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1"]) == 0
    told = "".join(capfd.readouterr())
    assert said in told and told.count("standard deviation") == 1 and "UserWarning" not in told
