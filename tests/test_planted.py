"""What was put into simulated recordings comes back, from a dataset's own files, by plain statistics."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from eegemo_utils import plots
from eegemo_utils.datasets import deap
from eegemo_utils.features import band_contrast
from eegemo_utils.simulate import planted_map
from eegemo_utils.trials import DatasetError

BANDS = {"theta": (4.0, 7.0), "alpha": (8.0, 13.0), "beta": (15.0, 27.0)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Six people of a simulated DEAP, written and read back."""
    folder = tmp_path_factory.mktemp("deap")
    deap.write(deap.simulate(6, n_trials=24, n_seconds=8.0, random_state=1), folder)
    return deap.read(folder)


@pytest.mark.parametrize("quality", ["valence", "arousal"])
def test_region_and_band_come_back_from_the_files(files, quality):
    found = {band: band_contrast(files, files.table[quality], hertz) for band, hertz in BANDS.items()}
    planted = planted_map(files.info, quality)
    assert np.corrcoef(planted, found["alpha"])[0, 1] > 0.8
    assert max(found, key=lambda band: np.abs(found[band]).max()) == "alpha"
    strongest = {files.info["ch_names"][i] for i in np.argsort(-np.abs(found["alpha"]))[:6]}
    known = {"valence": {"F3", "F4", "F7", "F8", "FC5", "FC6", "AF3", "AF4"},
             "arousal": {"PO3", "PO4", "O1", "O2", "Oz", "P7", "P8", "P3", "P4", "Pz"}}[quality]
    assert len(strongest & known) >= 4, strongest


def test_nothing_comes_back_of_nothing():
    none = deap.simulate(6, n_trials=24, n_seconds=8.0, effect=0.0, random_state=1)
    assert np.abs(band_contrast(none, none.table["valence"])).max() < 0.15
    assert np.abs(planted_map(none.info, effect=0.0)).max() == 0
    with pytest.raises(DatasetError, match="nobody has trials above and below"):
        band_contrast(none, np.zeros(len(none)))


def test_the_picture(files):
    fig = plots.plot_planted(files, files.table["valence"])
    titles = [ax.get_title(place) for ax in fig.axes for place in ("left", "center")]
    assert "simulated DEAP cohort" in titles and any("put in" in title for title in titles)
    plt.close(fig)
