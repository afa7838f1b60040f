import numpy as np
import pytest

from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS, make_info, standard_name


@pytest.mark.parametrize("given, expected", [
    ("T3", "T7"), ("T4", "T8"), ("T5", "P7"), ("T6", "P8"), ("EEG T3", "T7"), ("eeg fp1", "Fp1"),
    ("FPZ", "Fpz"), (" cz ", "Cz"), ("TP10", "TP10"), ("Right AUX", "Right AUX"), ("ECG ECG", "ECG ECG"),
])
def test_standard_name(given, expected):
    assert standard_name(given) == expected


def test_muse_info_has_four_placed_electrodes_and_one_misc_channel():
    info = make_info([*MUSE_CHANNELS, MUSE_AUX], 256)
    assert info["sfreq"] == 256
    assert info.get_channel_types() == ["eeg"] * 4 + ["misc"]
    x = [ch["loc"][0] for ch in info["chs"][:4]]
    assert np.sign(x).tolist() == [-1, -1, 1, 1]  # TP9 and AF7 lie left
    assert np.isnan(info["chs"][4]["loc"][:3]).all()


def test_old_and_new_names_have_one_place():
    old, new = make_info(["T3", "Cz"], 100), make_info(["T7", "Cz"], 100)
    assert old["ch_names"] == new["ch_names"]
    np.testing.assert_array_equal(old["chs"][0]["loc"], new["chs"][0]["loc"])


def test_same_electrode_twice_is_refused():
    with pytest.raises(ValueError, match="T7 named more than once"):
        make_info(["T3", "T7", "Cz"], 100)


def test_no_electrode_at_all_is_refused():
    with pytest.raises(ValueError, match="none of"):
        make_info(["Right AUX"], 256)
