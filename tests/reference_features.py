"""Bird's two feature generators written plainly: one file, one window, one number after the other.

Slow on purpose. The package's vectorised features are compared with these, and timed against them.
"""

import warnings

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.stats

PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def read_columns(path, n_signals=5):
    """Time stamps and signals of a csv file with one header line."""
    numbers = np.genfromtxt(path, delimiter=",", skip_header=1)
    return numbers[:, 0], numbers[:, 1:1 + n_signals]


def old_windows(stamps, signals):
    """Windows of the older generator, resampled to (150, n_signals)."""
    windows, start = [], 0.0
    while True:
        begin, end = stamps[0] + start, stamps[0] + start + 1.0
        first = 0
        while first < len(stamps) and stamps[first] < begin:
            first += 1
        last = first
        while last < len(stamps) and stamps[last] < end:
            last += 1
        if last >= len(stamps) or first == last or stamps[last] - stamps[first] < 0.9:
            return windows
        windows.append(scipy.signal.resample(signals[first:last], 150, axis=0))
        start += 0.5


def new_windows(stamps, signals):
    """Windows of the newer generator, resampled to (150, n_signals)."""
    windows, start = [], 0.0
    while True:
        begin, end = stamps[0] + start, stamps[0] + start + 1.0
        first = max(row for row in range(len(stamps)) if stamps[row] <= begin)
        last = max(row for row in range(len(stamps)) if stamps[row] <= end)
        if first == last or stamps[last] - stamps[first] < 0.9:
            return windows
        windows.append(scipy.signal.resample(signals[first:last], 150, axis=0))
        start += 0.5


def quarters_of(window):
    """Four quarters of 37, 38, 37 and 38 samples."""
    return [window[:37], window[37:75], window[75:112], window[112:]]


def in_quarters(window, statistic):
    """A statistic of each signal in each quarter, then the six differences."""
    values = [[statistic(part[:, i]) for i in range(part.shape[1])] for part in quarters_of(window)]
    for p, q in PAIRS:
        values.append([values[p][i] - values[q][i] for i in range(len(values[p]))])
    return [value for part in values for value in part]


def whole_and_halves(window, statistic):
    """A statistic of each signal in the window, then second half less first half."""
    n_signals = window.shape[1]
    whole = [statistic(window[:, i]) for i in range(n_signals)]
    return whole + [statistic(window[75:, i]) - statistic(window[:75, i]) for i in range(n_signals)]


def entropy_of(signal):
    """Shannon entropy of a signal that is made to sum to 1; 0 where that has no meaning."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        value = scipy.stats.entropy(signal)
    return value if np.isfinite(value) else 0.0


def logarithm_of(matrix):
    """Matrix logarithm; SciPy warns of singular matrices, which these are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scipy.linalg.logm(matrix)


def old_block(window):
    """The 1274 numbers of one window (150, 5), by family."""
    mean_q, max_q, min_q = (in_quarters(window, statistic) for statistic in (np.mean, np.max, np.min))
    square = np.array(mean_q[:-6] + max_q + min_q).reshape(12, 12)
    covariance = np.cov(square)
    log = logarithm_of(covariance)
    means, maxima, minima = (whole_and_halves(window, statistic) for statistic in (np.mean, np.max, np.min))
    deviations = whole_and_halves(window, np.std)
    return {
        "mean": means[:5], "mean_d": means[5:], "mean_q": mean_q,
        "stddev": deviations[:5], "stddev_d": deviations[5:],
        "moments": [np.mean((window[:, i] - window[:, i].mean()) ** order) for order in (3, 4, 5, 6)
                    for i in range(5)],
        "max": maxima[:5], "max_d": maxima[5:], "max_q": max_q,
        "min": minima[:5], "min_d": minima[5:], "min_q": min_q,
        "covmat": covariance.ravel(), "eigen": np.linalg.eigvals(covariance).real,
        "logm": np.concatenate([np.diagonal(log, k) for k in range(12)]).real,
        "entropy": [entropy_of(window[:, i]) for i in range(5)],
        "correlate": [np.dot(window[i], window[75 + i]) for i in range(75)],
        "fft": np.concatenate([np.fft.fft(sample).real for sample in window]),
    }


def new_block(window):
    """The 512 numbers of one window (150, 4), by part and in order."""
    def deviation(signal):
        return np.std(signal, ddof=1)

    covariance = np.cov(window.T)
    triangle = np.triu_indices(4)
    scaled = -1 + 2 * (window - window.min()) / (window.max() - window.min())
    amplitude = np.abs(np.fft.fft(scaled, axis=0))[:75] * 2 / 150
    hz = np.linspace(0, 75, 75)
    kept = [k for k in range(1, 75) if abs(hz[k] - 50) > 1]
    strongest = []
    for i in range(4):
        strongest += [hz[k] for k in sorted(kept, key=lambda k: -amplitude[k, i])[:10]]
    means, maxima, minima = (whole_and_halves(window, statistic) for statistic in (np.mean, np.max, np.min))
    return {
        "mean": means + in_quarters(window, np.mean), "std": whole_and_halves(window, deviation),
        "moments": [scipy.stats.skew(window[:, i], bias=False) for i in range(4)]
        + [scipy.stats.kurtosis(window[:, i], bias=False) for i in range(4)],
        "max": maxima + in_quarters(window, np.max), "min": minima + in_quarters(window, np.min),
        "covmat": covariance[triangle], "eigen": np.linalg.eigvals(covariance).real,
        "logm": np.abs(logarithm_of(covariance)[triangle]),
        "topfreq": strongest, "fft": amplitude[kept].T.ravel(),
    }


def as_vector(block):
    """The families of a block one after the other."""
    return np.concatenate([np.asarray(part, dtype=float) for part in block.values()])


def old_rows(stamps, signals):
    """Rows of 2548: previous and current window."""
    blocks = [as_vector(old_block(window)) for window in old_windows(stamps, signals)]
    return np.array([np.concatenate(pair) for pair in zip(blocks, blocks[1:])])


def new_rows(stamps, signals, kept):
    """Rows of 988: those numbers of the previous window that `kept` numbers, and the current window."""
    blocks = [as_vector(new_block(window)) for window in new_windows(stamps, signals)]
    pairs = zip(blocks, blocks[1:])
    return np.array([np.concatenate([previous[kept], current]) for previous, current in pairs])
