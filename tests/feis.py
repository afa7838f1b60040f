"""FEIS (14 Emotiv channels, 160 labelled seconds per person) as own recordings: EDF files and trials.csv."""

import os
import zipfile
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets.formats.edf import write_edf

FOLDER = Path(os.environ.get("EEGEMO_DATA", ""), "feis")
ELECTRODES = ("F3", "FC5", "AF3", "F7", "T7", "P7", "O1", "O2", "P8", "T8", "F8", "AF4", "FC6", "F4")
SFREQ = 256


def feis_as_own(root: Path) -> Path:
    """Write the recordings of all people, their DC level of about 4,240 microvolt in them; return the folder."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in sorted(FOLDER.glob("*_articulators.zip")):
        with zipfile.ZipFile(path) as archive, archive.open("articulators.csv") as file:
            table = pd.read_csv(file)
        person = path.name[:2]
        write_edf(root / f"{person}.edf", table[list(ELECTRODES)].to_numpy().T, ELECTRODES, SFREQ)
        labels = table.groupby("Epoch")["Label"].first()
        rows += [{"file": f"{person}.edf", "label": label, "subject": f"feis{person}", "trial": epoch + 1,
                  "start": float(epoch), "stop": epoch + 1.0} for epoch, label in labels.items()]
    pd.DataFrame(rows).to_csv(root / "trials.csv", index=False)
    return root
