"""`eegemo corpus`: what it counts, what it says of skipped, changed and doubtful files, its options."""

import json

import numpy as np
import pytest
from corpora import make_corpus
from test_corpus import save_edf, save_fif

from eegemo_utils import __version__
from eegemo_utils.cli import main
from eegemo_utils.corpus import index
from eegemo_utils.corpus.preprocessing import VERSION


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


def test_a_corpus_without_a_usable_file_says_so_and_why(tmp_path, capsys):
    source, out = tmp_path / "in", str(tmp_path / "out")
    save_edf(source / "a.edf", names=("EMG1", "x"))
    (source / "b.edf").write_bytes(b"cut off")
    command = ["corpus", "build", str(source), out, "--jobs", "1"]
    assert main(command) == 1
    assert "no file could be used, 2 skipped: " in capsys.readouterr().err
    for words in (["check", out], ["list", out]):
        assert main(["corpus", *words]) == 1
        said = "".join(capsys.readouterr())
        assert f"{out}: none of its files (2) could be used: {source}/a.edf: LaBraM has a row for none" in said
        assert f"{source}/b.edf: " in said and "not finished" not in said
        assert said.strip().endswith("Mend them, or give other files, and run `eegemo corpus build` again.")
    save_edf(source / "b.edf")
    assert main(command) == 0 and main(["corpus", "check", out]) == 0


def test_check_says_what_an_older_preprocessing_means(tmp_path, capsys, recwarn):
    make_corpus(tmp_path)
    path = tmp_path / index.NAME
    path.write_text(path.read_text().replace(f'preprocessing\\": {VERSION}', 'preprocessing\\": 2'))
    assert main(["corpus", "check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"made by version 2 of the preprocessing (eegemo-utils {__version__}), this code has version 3: " in said
    assert "results may differ. Build the corpus again in a new folder" in said and not recwarn


def test_check_lists_damage_as_damage(tmp_path, capsys):
    make_corpus(tmp_path)
    path = index.stored_paths(tmp_path)[1]
    content = path.read_bytes()
    path.write_bytes(content[:20000] + bytes(100) + content[20100:])
    assert main(["corpus", "check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"corpus: {tmp_path}: must not be used as it is"
    assert lines[lines.index("  wrong:") + 1].startswith(f"    {path}: expected the numbers that were stored")
    assert not any(word in line for line in lines for word in ("missing:", "fault:", "will be done", "nothing"))


def noise(volts, drift=0.0):
    """10 s of noise, of which the filters leave 0.92 times these volts."""
    return np.random.default_rng(0).normal(0, volts, (2, 2000)) + np.linspace(0, drift, 2000)


@pytest.mark.parametrize(("factor", "said"), [
    (1e6, "2e+07, which looks like microvolts taken for volts: times 1e-6 it would be 20 microvolt, so the file "
          "probably names volt for numbers in microvolt. Correct the unit in the file, or multiply the numbers "
          "by 1e-6."),
    (1e3, "times 1e-3 it would be 18 microvolt, so the file probably names millivolt for numbers in microvolt"),
    (1e-3, "times 1e3 it would be 18 microvolt, so the file probably names microvolt for numbers in millivolt"),
    (1e-6, "times 1e6 it would be 20 microvolt, so the file probably names microvolt for numbers in volt")])
def test_a_file_in_another_unit_is_skipped_with_its_factor(tmp_path, capfd, factor, said):
    (tmp_path / "in").mkdir()
    save_fif(tmp_path / "in" / "a_raw.fif", noise(2e-5 * factor))
    save_edf(tmp_path / "in" / "b.edf")
    assert main(["corpus", "build", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1"]) == 0
    told = "".join(capfd.readouterr())
    assert f"skipped: {tmp_path}/in/a_raw.fif: " in told and said in told and "2 files: 1 kept, 1 skipped" in told


def test_a_size_that_no_unit_explains_is_told_once_and_kept(tmp_path, capfd):
    (tmp_path / "in").mkdir()
    save_fif(tmp_path / "in" / "a_raw.fif", noise(8e-4))
    save_fif(tmp_path / "in" / "b_raw.fif", noise(2e-5, drift=1e-2))  # its drift is no size of EEG, and filtered away
    assert main(["corpus", "build", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1"]) == 0
    told = "".join(capfd.readouterr())
    assert "7.2e+02 microvolt (median over channels; expected 0.5 to 500), which no mistake between volt" in told
    assert told.count("standard deviation") == 1 and "UserWarning" not in told and "2 kept, 0 skipped" in told
