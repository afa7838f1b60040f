"""What the README shows runs, and prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_of_a_leak(tmp_path):
    start = README.index("    from eegemo_utils import datasets, features, splits")
    block = re.match(r"(?:(?: {4}.*)?\n)+", README[start:])[0]
    code = "\n".join(line[4:] for line in block.splitlines())
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    printed = dict(line.split() for line in run.stdout.splitlines())
    said = re.search(r"It prints (\S+) for shuffled windows, (\S+) for trials left out and (\S+) for people", README)
    for protocol, number in zip(("published", "by_trial", "by_subject"), said.groups()):
        assert abs(float(printed[protocol]) - float(number)) < 0.02, (protocol, printed)


@pytest.mark.slow
def test_the_example_of_an_audit(tmp_path):
    section = README.index("### Audit a model of your own")
    start = README.index("    from sklearn.linear_model", section)
    block = re.match(r"(?:(?: {4}.*)?\n)+", README[start:])[0]
    code = "\n".join(line[4:] for line in block.splitlines())
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert "the difference is shown" in run.stdout and (tmp_path / "audit.png").stat().st_size > 10_000


def test_the_map_of_the_package_is_the_package():
    section = README[README.index("## Where things are"):README.index("## How to add a paper")]
    assert len(section.splitlines()) <= 25
    rows = [line[6:] for line in section.splitlines() if re.match(r" {6}\w", line)]
    named = {name.rstrip("/") for row in rows for name in re.split(r" {2,}", row)[0].split()}
    package = Path(__file__).parents[1] / "eegemo_utils"
    there = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert named == {name.partition("_")[0] if name.startswith("cli") else name for name in there} - {"__init__",
                                                                                                      "__main__"}
