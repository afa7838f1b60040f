import numpy as np
import pytest

from eegemo_utils.montage import (
    GRID_8X9,
    MUSE_AUX,
    MUSE_CHANNELS,
    SEED_62,
    grid_positions,
    make_info,
    seed_graph,
    standard_montage,
    standard_name,
    to_grid,
)


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


# The 32 electrodes of DEAP in the order of its files; cells of 4D-CRNN (DEAP_1D_3D.py:35-46).
DEAP_CELLS = {
    "Fp1": (0, 3), "AF3": (0, 2), "F3": (1, 2), "F7": (1, 0), "FC5": (2, 1), "FC1": (2, 3), "C3": (3, 2), "T7": (3, 0),
    "CP5": (4, 1), "CP1": (4, 3), "P3": (5, 2), "P7": (5, 0), "PO3": (6, 3), "O1": (7, 3), "Oz": (7, 4), "Pz": (5, 4),
    "Fp2": (0, 5), "AF4": (0, 6), "Fz": (1, 4), "F4": (1, 6), "F8": (1, 8), "FC6": (2, 7), "FC2": (2, 5), "Cz": (3, 4),
    "C4": (3, 6), "T8": (3, 8), "CP6": (4, 7), "CP2": (4, 5), "P4": (5, 6), "P8": (5, 8), "PO4": (6, 5), "O2": (7, 5),
}
DREAMER_CELLS = {
    "AF3": (0, 2), "F7": (1, 0), "F3": (1, 2), "FC5": (2, 1), "T7": (3, 0), "P7": (5, 0), "O1": (7, 3), "O2": (7, 5),
    "P8": (5, 8), "T8": (3, 8), "FC6": (2, 7), "F4": (1, 6), "F8": (1, 8), "AF4": (0, 6),
}
SEED_FILES = """FP1 FPZ FP2 AF3 AF4 F7 F5 F3 F1 FZ F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 T7 C5 C3 C1 CZ C2 C4
    C6 T8 TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 P7 P5 P3 P1 PZ P2 P4 P6 P8 PO7 PO5 PO3 POZ PO4 PO6 PO8 CB1 O1 OZ O2
    CB2""".split()


@pytest.mark.parametrize("cells", [DEAP_CELLS, DREAMER_CELLS], ids=["DEAP", "DREAMER"])
def test_each_cell_is_that_of_the_released_code(cells):
    assert [tuple(cell) for cell in grid_positions(cells)] == list(cells.values())


def test_maps_hold_values_in_their_cells_and_zero_elsewhere():
    values = np.arange(1, 65, dtype=np.float32).reshape(2, 32)
    maps = to_grid(values, DEAP_CELLS)
    assert maps.shape == (2, 8, 9) and maps.dtype == np.float32
    assert [maps[(1, *cell)] for cell in DEAP_CELLS.values()] == values[1].tolist()
    assert (maps == 0).sum() == 2 * 40 and maps.sum() == values.sum()
    with pytest.raises(ValueError, match="32 channels"):
        to_grid(values[:, :31], DEAP_CELLS)


def test_all_62_electrodes_of_seed_have_a_cell_of_their_own():
    assert [name.upper() for name in SEED_62] == SEED_FILES
    assert [standard_name(name) for name in SEED_FILES] == list(SEED_62)
    cells = grid_positions(SEED_FILES)
    assert len({tuple(cell) for cell in cells}) == 62
    info = make_info(SEED_FILES, 200)
    places = np.array([ch["loc"][:3] for ch in info["chs"]])
    assert info.get_channel_types() == ["eeg"] * 62
    # The map is a map: further right is right on the head, further down is further back, within a row or column.
    for one, other in [(a, b) for a in range(62) for b in range(62)]:
        if cells[one][0] == cells[other][0] and cells[one][1] < cells[other][1]:
            assert places[one][0] < places[other][0]
        if cells[one][1] == 4 == cells[other][1] and cells[one][0] < cells[other][0]:
            assert places[one][1] > places[other][1]


def test_the_grid_is_symmetric():
    for name, (row, column) in GRID_8X9.items():
        if name[-1].isdigit():
            letters, number = name.rstrip("0123456789"), int(name[len(name.rstrip("0123456789")):])
            mirror = f"{letters}{number + 1 if number % 2 else number - 1}"
            assert GRID_8X9[mirror] == (row, 8 - column)
        else:
            assert column == 4
    assert set(GRID_8X9) <= set(standard_montage().ch_names)


def test_channels_without_a_cell_and_two_in_one_are_refused():
    assert grid_positions(["T3", "EEG Cz"]).tolist() == [[3, 0], [3, 4]]
    for names, message in [(["Cz", "A1", "ECG"], "no place.*A1, ECG"), (["FT7", "Cz", "FT9"], "FT7 and FT9"),
                           (["T3", "T7"], "T7 and T7"), (["Fpz", "AFz"], "Fpz and AFz")]:
        with pytest.raises(ValueError, match=message):
            grid_positions(names)


def test_the_graph_has_118_edges_and_these_degrees():
    edges = seed_graph()
    assert edges.shape == (118, 2) and (edges[:, 0] < edges[:, 1]).all()
    assert len({tuple(edge) for edge in edges}) == 118
    degrees = dict(zip(SEED_62, np.bincount(edges.ravel(), minlength=62)))
    expected = dict.fromkeys(SEED_62, 4) | dict.fromkeys(["AF3", "AF4"], 7) | dict.fromkeys(["Fp1", "Fp2"], 2)
    expected |= dict.fromkeys(["Fz", "PO3", "PO4"], 5)
    three = "F7 F8 FT7 FT8 T7 T8 TP7 TP8 P7 P8 PO7 PO8 CB1 CB2 O1 Oz O2"
    expected |= dict.fromkeys(three.split(), 3)
    assert degrees == expected


def test_the_graph_is_connected_symmetric_and_joins_what_the_code_joins():
    edges = {(SEED_62[one], SEED_62[other]) for one, other in seed_graph()}
    both = edges | {(other, one) for one, other in edges}
    for name, others in {"Fpz": "Fp1 Fp2 AF3 AF4", "AF3": "Fp1 Fpz F7 F5 F3 F1 Fz", "AF4": "Fpz Fp2 Fz F2 F4 F6 F8",
                         "PO3": "PO5 POz P3 P1 O1", "PO4": "POz PO6 P2 P4 O2", "CB1": "PO7 PO5 O1",
                         "Cz": "C1 C2 FCz CPz",
                         "CB2": "PO6 PO8 O2"}.items():
        assert {other for one, other in both if one == name} == set(others.split())
    cells = GRID_8X9
    mirrored = {(row, 8 - column): name for name, (row, column) in cells.items() if name in SEED_62}
    mirror = {name: mirrored[cells[name]] for name in SEED_62}
    assert {(mirror[one], mirror[other]) for one, other in both} == both
    reached, last = {"Cz"}, set()
    while reached != last:
        last, reached = reached, reached | {other for one, other in both if one in reached}
    assert len(reached) == 62
