"""Run the notebooks under numeric settings that stand for other processors, and print how far their numbers move.

``make processors``, or ``python tests/processors.py [--only TEXT] [NOTEBOOK ...]``. Each setting is a whole run of
nbval, so text is compared as well; the table shows the largest difference of a recorded number from the stored one,
relative where the number is above 1, and how many cells failed. With all settings it takes about half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
# NumPy's instruction sets above its x86-64-v2 build; names that a processor or version lacks do nothing
NUMPY = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
ATEN_AVX2, ATEN_DEFAULT = ({"ATEN_CPU_CAPABILITY": name} for name in ("avx2", "default"))
ONEDNN_AVX2, ONEDNN_SSE41 = ({"ONEDNN_MAX_CPU_ISA": name} for name in ("AVX2", "SSE41"))
MKL_ANY, MKL_AVX2 = ({"MKL_CBWR": name} for name in ("COMPATIBLE", "AVX2"))
HASWELL, NEHALEM = ({"OPENBLAS_CORETYPE": name} for name in ("Haswell", "Nehalem"))
THREADS = {n: {"OMP_NUM_THREADS": str(n), "OPENBLAS_NUM_THREADS": str(n)} for n in (1, 2, 4)}
SETTINGS = {
    "as it is": {},
    "PyTorch AVX2": ATEN_AVX2,
    "PyTorch without AVX": ATEN_DEFAULT,
    "oneDNN AVX2": ONEDNN_AVX2,
    "oneDNN SSE4.1": ONEDNN_SSE41,
    "MKL compatible": MKL_ANY,
    "MKL AVX2": MKL_AVX2,
    "OpenBLAS Haswell": HASWELL,
    "OpenBLAS Nehalem": NEHALEM,
    "NumPy x86-64-v2": NUMPY,
    "1 thread": THREADS[1],
    "2 threads": THREADS[2],
    "4 threads": THREADS[4],
    "PyTorch AVX2, MKL compatible": ATEN_AVX2 | MKL_ANY,
    "PyTorch AVX2, MKL AVX2, OpenBLAS Haswell": ATEN_AVX2 | MKL_AVX2 | HASWELL,
    "PyTorch without AVX, oneDNN SSE4.1": ATEN_DEFAULT | ONEDNN_SSE41,
    "nothing above SSE4.2, 2 threads": ATEN_DEFAULT | ONEDNN_SSE41 | MKL_ANY | NEHALEM | NUMPY | THREADS[2],
}


def run(notebooks: list[str], setting: dict[str, str]) -> pd.Series:
    """Compare notebooks with their stored outputs under one setting; return one text for each notebook."""
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env",
               "-n", "2", "--dist", "loadfile", *(f"notebooks/{name}.ipynb" for name in notebooks)]
    with tempfile.TemporaryDirectory() as folder:
        differences = Path(folder, "differences.jsonl")
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | setting
        environment |= {"EEGEMO_DIFFERENCES": str(differences), "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if not differences.exists():
            raise SystemExit(f"nbval did not run:\n{done.stdout}\n{done.stderr}")
        cells = pd.read_json(differences, lines=True)
    for cell in cells[cells["failed"]].itertuples():
        print(f"  {cell.notebook}, cell {cell.cell}: {cell.metric or 'text differs, or an error'}", flush=True)
    found = cells.groupby("notebook").agg(largest=("largest", "max"), failed=("failed", "sum"))
    return pd.Series({name: f"{row.largest:.0e}" + f" ({row.failed} failed)" * bool(row.failed)
                      for name, row in found.iterrows()})


def main() -> int:
    """Print the table; return 1 where a cell failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="by default all")
    parser.add_argument("--only", default="", metavar="TEXT", help="settings whose name holds this text")
    arguments = parser.parse_args()
    notebooks = arguments.notebooks or sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    rows = {}
    for name, setting in SETTINGS.items():
        if arguments.only in name:
            print(name, json.dumps(setting), flush=True)
            rows[name] = run(notebooks, setting)
    table = pd.DataFrame(rows).T
    print(table.to_string())
    return int(table.map(lambda text: "failed" in str(text)).any(axis=None) or table.isna().any(axis=None))


if __name__ == "__main__":
    sys.exit(main())
