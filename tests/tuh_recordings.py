"""EDF files as TUH's corpora have them, made byte for byte without the package's writer."""

import numpy as np

NAMES = ("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "A1", "A2",
         "FZ", "CZ", "PZ", "T1", "T2")
LABELS = tuple(f"EEG {name}-REF" for name in NAMES)
STEP = 0.1  # microvolt of one digital step


def edf_bytes(numbers, labels, rate, patient="aaaaamye F 01-JAN-0000 aaaaamye Age:23", unit="uV", limit=3276.75,
              extra=()):
    """Header and one-second records; `numbers` are digital values, (n_signals, n_seconds * rate)."""
    labels = [*labels, *extra]
    numbers = np.concatenate([numbers, np.zeros((len(extra), numbers.shape[1]))]) if extra else np.asarray(numbers)
    n, n_records = len(labels), numbers.shape[1] // rate

    def column(values, width):
        return b"".join(str(value).encode("latin1").ljust(width)[:width] for value in values)

    start = (column(["0"], 8) + column([patient, "Startdate 01-JAN-0000"], 80) + b"00.00.0000.00.00"[:16]
             + column([256 * (n + 1)], 8) + column([""], 44) + column([n_records, 1], 8) + column([n], 4))
    fields = [(labels, 16), ([""] * n, 80), ([unit] * n, 8), ([-limit] * n, 8), ([limit] * n, 8), ([-32767] * n, 8),
              ([32768 - 1] * n, 8), ([""] * n, 80), ([rate] * n, 8), ([""] * n, 32)]
    blocks = numbers.reshape(n, n_records, rate).transpose(1, 0, 2)
    return start + b"".join(column(values, width) for values, width in fields) + blocks.astype("<i2").tobytes()


def noise(n_seconds=12, rate=250, n=23, seed=0):
    """Digital values of about 20 microvolt."""
    return np.rint(np.random.default_rng(seed).normal(0, 200, (n, n_seconds * rate)))


def save(path, content=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(edf_bytes(noise(), LABELS, 250, **options) if content is None else content)
    return path
