"""Files of SEED-V made by hand, for tests: neither our writer nor our constants are used."""

import json
import pickle
import struct

import numpy as np

from eegemo_utils.montage import SEED_62

# typed from torcheeg's seed_v.py and the sums that are published, not taken from the package
LABELS = [[4, 1, 3, 2, 0] * 3, *[[2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0]] * 2]
N_WINDOWS = [[18, 24, 59, 46, 36, 64, 74, 17, 66, 35, 43, 43, 58, 60, 38],
             [59, 47, 16, 31, 32, 14, 60, 57, 30, 24, 46, 29, 23, 54, 19],
             [72, 16, 41, 22, 13, 59, 21, 18, 57, 71, 55, 29, 51, 32, 44]]
NAMES = [*(name.upper() for name in SEED_62), "M1", "M2", "VEO", "HEO"]


def cnt_bytes(counts, names=NAMES, rate=1000, width=4, calibration=0.002, baseline=0, events=(), bad=()):
    """A Neuroscan file by hand: counts (samples, channels); a count is calibration x 10 / 204.8 microvolt."""
    n_times, n_chans = counts.shape
    start = 900 + 75 * n_chans
    head = bytearray(900)
    head[0:11] = b"Version 3.0"
    head[21:25], head[121:128] = b"4711", b"Doe Joe"  # a number and a name, as real headers may hold
    head[225:233], head[235:243] = b"08/04/18", b"10:00:00"
    for place, form, value in ((370, "<H", n_chans), (376, "<H", rate), (864, "<i", n_times),
                               (886, "<i", start + n_times * n_chans * width), (894, "<i", 0)):
        struct.pack_into(form, head, place, value)
    for number, name in enumerate(names):
        one = bytearray(75)
        one[: len(name)] = name.encode()
        one[14] = name in bad
        struct.pack_into("<2f", one, 19, float(number % 9), float(number // 9))
        struct.pack_into("<h", one, 47, baseline)
        struct.pack_into("<f", one, 59, 10.0)
        struct.pack_into("<f", one, 71, calibration)
        head += one
    table = struct.pack("<Bii", 1, 8 * len(events), 0)
    for sample, code in events:
        table += struct.pack("<HBci", code, 0, b"\0", start + (sample + 1) * n_chans * width)
    return bytes(head) + counts.astype(f"<i{width}").tobytes() + table


def recording(root, name="3_1_20180414.cnt", clips=((0.5, 1.0), (1.25, 1.5)), n_times=1600, **options):
    """A small recording in a folder that says it was written; returns its path and its microvolts."""
    path = root / "EEG_raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "DESCRIPTION.txt").write_text("simulated SEED-V cohort\n")
    (root / "simulated_clips.json").write_text(json.dumps([clips] * 3))
    counts = np.random.default_rng(0).integers(-30000, 30000, (n_times, len(options.get("names", NAMES))))
    path.write_bytes(cnt_bytes(counts, **options))
    return path, counts.T * np.float32(0.002) * 10 / 204.8


def npz(root, name="3_123.npz", change=lambda data, label: None, first=0, kind=int, trials=range(45), protocol=2):
    """A file of features by hand: the value tells trial, window, electrode and band."""
    path = root / "EEG_DE_features" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    counts, labels = sum(N_WINDOWS, []), sum(LABELS, [])
    data = {kind(k + first): k + np.arange(counts[k])[:, None] / 100 + np.arange(310) * 1000.0 for k in trials}
    label = {kind(k + first): np.full(counts[k], labels[k]) for k in trials}
    change(data, label)
    np.savez(path, data=pickle.dumps(data, protocol), label=pickle.dumps(label, protocol))
    return path
