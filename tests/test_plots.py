"""Figures: deterministic files, what is drawn, labels that do not collide."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd
import pytest

from eegemo_utils import plots
from eegemo_utils.training import History

matplotlib.use("Agg")
NAMES = ["NEGATIVE", "NEUTRAL", "POSITIVE"]


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


@pytest.fixture
def bars():
    return pd.DataFrame({"name": ["published", "by_trial", "by_subject"], "accuracy": [0.93, 0.6, 0.35],
                         "low": [0.9, 0.5, np.nan], "high": [0.95, 0.72, np.nan]})


def texts(ax):
    return [text for text in ax.texts if text.get_text()]


def assert_no_overlap(ax, items):
    ax.figure.canvas.draw()
    boxes = [item.get_window_extent() for item in items]
    for (a, one), (b, other) in itertools.combinations(zip(items, boxes, strict=True), 2):
        assert not one.overlaps(other), (a.get_text(), b.get_text())


def test_a_figure_is_written_twice_the_same(tmp_path, monkeypatch, bars):
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    contents = []
    for _ in range(2):
        assert plots.save_figure(plots.plot_audit(bars, 1 / 3, 0.34).figure, "gru_audit") is None
        path = tmp_path / "figures" / "gru_audit.png"
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert b"Software" not in contents[0] and b"Date" not in contents[0] and b"matplotlib" not in contents[0]
    assert plt.imread(path).shape[:2] == tuple((path_size(bars)[::-1] * 100).round().astype(int))
    assert [file.name for file in path.parent.iterdir()] == ["gru_audit.png"]


def path_size(bars):
    return np.array(plots.plot_audit(bars, 1 / 3, 0.34).figure.get_size_inches())


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("EEGEMO_OUT", raising=False)
    monkeypatch.chdir(tmp_path)
    plots.save_figure(plt.figure(), "gru_audit")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["audit", "GRU_audit", "gru_audit.png", "../gru_audit", "gru audit"])
def test_figure_names_have_one_form(name):
    with pytest.raises(ValueError, match="<paper>_<what>"):
        plots.save_figure(plt.figure(), name)


@pytest.mark.parametrize("chance, majority", [(1 / 3, 0.34), (0.5, 0.5), (0.02, 0.9), (0.4, 0.1)])
def test_audit_draws_a_bar_a_protocol_and_both_guesses(bars, chance, majority):
    ax = plots.plot_audit(bars, chance, majority, title="Protocol audit")
    assert [bar.get_width() for bar in ax.patches] == bars.accuracy.tolist()
    assert sorted(line.get_xdata()[0] for line in ax.lines) == sorted([chance, majority])
    written = [text.get_text() for text in texts(ax)]
    assert {f"chance {chance:.2f}", f"majority {majority:.2f}", "0.93"} <= set(written)
    assert [label.get_text() for label in ax.get_yticklabels()] == bars.name.tolist()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first protocol is on top
    assert_no_overlap(ax, [*texts(ax), ax._left_title, ax.title])


def test_audit_without_intervals(bars):
    ax = plots.plot_audit(bars[["name", "accuracy"]], 0.3, 0.4)
    assert len(ax.patches) == 3 and not [c for c in ax.collections if len(c.get_paths())]


def test_confusion_shows_counts_and_shares():
    ax = plots.plot_confusion([[173, 0, 28], [0, 228, 3], [8, 4, 196]], NAMES, title="test rows")
    assert [text.get_text() for text in ax.texts][:3] == ["173\n86%", "0\n0%", "28\n14%"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    assert_no_overlap(ax, ax.texts)
    plots.plot_confusion([[0, 0], [1, 2]], ["a", "b"])  # a class that does not occur


def test_history_marks_the_best_epoch():
    rows = [dict(epoch=k, loss=1 / k, accuracy=0.5, val_loss=v, val_accuracy=0.5, learning_rate=0.1)
            for k, v in enumerate([3.0, 1.0, 2.0], 1)]
    ax = plots.plot_history(History(rows, best_epoch=2, stopped_epoch=3))
    assert ax.lines[-1].get_xydata().tolist() == [[2, 1.0]]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["training", "validation", "best epoch (2)"]
    ax = plots.plot_history(pd.DataFrame(rows)[["epoch", "loss"]])
    assert len(ax.lines) == 1 and ax.get_ylabel() == "loss (nat)"
    assert plots.plot_history(pd.DataFrame(rows), value="accuracy").get_ylabel() == "accuracy"


def test_topomap_has_a_unit_and_symmetric_colours_for_signed_values():
    info = mne.create_info(["TP9", "AF7", "AF8", "TP10"], 256.0, "eeg")
    positions = {"TP9": (-0.08, -0.04, -0.03), "AF7": (-0.05, 0.07, 0.0), "AF8": (0.05, 0.07, 0.0),
                 "TP10": (0.08, -0.04, -0.03)}
    info.set_montage(mne.channels.make_dig_montage(positions, coord_frame="head"))
    ax = plots.plot_topomap([1, 2, 3, 4], info, unit="alpha power (µV²)")
    assert ax.figure.axes[-1].get_ylabel() == "alpha power (µV²)"
    assert plots.plot_topomap([-1, 0, 1, 3], info).images[0].get_clim() == (-3, 3)
    assert plots.plot_topomap([1, 2, 3, 4], info, limits=(0, 9)).images[0].get_clim() == (0, 9)


def test_embedding_has_a_colour_a_label():
    points, labels = np.random.default_rng(0).normal(size=(30, 2)), np.repeat(NAMES, 10)
    ax = plots.plot_embedding(points, labels)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == NAMES
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections}) == 3
    np.testing.assert_array_equal(ax.collections[1].get_offsets(), points[10:20])


def test_functions_draw_where_they_are_told(bars):
    _, (one, other) = plt.subplots(1, 2)
    assert plots.plot_audit(bars, 0.3, 0.4, one) is one
    assert plots.plot_confusion(np.eye(2, dtype=int), ["a", "b"], other) is other
    assert len(plt.get_fignums()) == 1
