import subprocess

import numpy as np
import pandas as pd
import pytest

from eegemo_utils import datasets
from eegemo_utils.datasets import emotions
from eegemo_utils.datasets.bird_columns import column_names
from eegemo_utils.datasets.bird_features import bird_features
from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS, make_info
from eegemo_utils.trials import DatasetError, Trials


def some_features(n_trials=3, seconds=6):
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"subject": "sim1", "session": 1, "trial": range(n_trials),
                          "label": ["negative", "neutral", "positive"][:n_trials]})
    signals = [rng.normal(30, 40, (5, 256 * seconds + 1)) for _ in range(n_trials)]
    return bird_features(Trials(signals, make_info([*MUSE_CHANNELS, MUSE_AUX], 256), table))


@pytest.fixture(scope="module")
def features():
    return some_features()


@pytest.fixture
def table_file(features, tmp_path):
    return emotions.write_table(features, tmp_path / "emotions.csv", random_state=5)


def change(path, line_number, edit):
    lines = path.read_text().split("\n")
    lines[line_number - 1] = edit(lines[line_number - 1])
    path.write_text("\n".join(lines))


def set_column(name, text):
    place = column_names(2548).index(name)

    def edit(line):
        fields = line.split(",")
        fields[place] = text
        return ",".join(fields)
    return edit


def fault_of(path):
    with pytest.raises(DatasetError) as caught:
        emotions.read(path)
    assert str(path) in str(caught.value)
    report = emotions.check(path)
    assert not report.ok and report.missing == [f"fault: {caught.value}"]
    return str(caught.value)


def test_written_table_comes_back_in_three_digits(features, table_file):
    header = table_file.read_text().split("\n", 1)[0]
    assert header.startswith("# mean_0_a,mean_1_a,") and header.endswith(",fft_749_b,label")
    windows = emotions.read(table_file)
    assert windows.X.shape == features.X.shape and windows.names == column_names(2548)
    order = np.random.default_rng(5).permutation(len(features))
    np.testing.assert_allclose(windows.X, features.X[order], rtol=5.1e-3)
    assert all(float(f"{value:.3g}") == value for value in windows.X[0])
    assert windows.table["label"].tolist() == features.table["label"].str.upper().to_numpy()[order].tolist()
    assert (windows.table["subject"] == "unknown").all()


def test_the_table_says_what_it_is_and_what_was_decided(table_file):
    windows = emotions.read(table_file)
    assert windows.description == f"{table_file.name} in {table_file.parent.name}"
    assert list(windows.decisions) == emotions.check(table_file).decisions != []
    table_file.with_name("DESCRIPTION.txt").write_text("simulated table\n")
    assert emotions.read(table_file).description == "simulated table"
    table_file.with_name("DESCRIPTION.txt").unlink()


def test_chains_are_the_recordings_in_order(features, table_file):
    table = emotions.read(table_file).table
    order = np.random.default_rng(5).permutation(len(features))
    truth = features.table.iloc[order].reset_index(drop=True)
    assert table["chain"].nunique() == 3 and not table["ambiguous"].any()
    assert (truth.groupby(table["chain"])["trial"].nunique() == 1).all()
    np.testing.assert_array_equal(table["position"], truth["window"] - 1)
    assert (table["trial"] == table["chain"]).all() and (table["window"] == table["position"]).all()


def halves(*recordings):
    """Blocks a and b of recordings given as sequences of block numbers."""
    pairs = [(first, second) for blocks in recordings for first, second in zip(blocks, blocks[1:])]
    a, b = np.array(pairs, dtype=float).T
    return a[:, None], b[:, None]


def test_link_chains_finds_order_whatever_the_rows_order():
    a, b = halves(range(10), range(20, 25))
    order = np.random.default_rng(0).permutation(len(a))
    chains = emotions.link_chains(a[order], b[order])
    assert chains.loc[0, "chain"] == 0
    for _, rows in chains.groupby("chain"):
        starts = a[order][rows.sort_values("position").index, 0]
        assert (np.diff(starts) == 1).all()
    assert chains.groupby("chain").size().sort_values().tolist() == [4, 9]


def test_link_chains_takes_equal_rows_one_to_one_and_flags_them():
    a, b = halves(range(5), range(5))
    chains = emotions.link_chains(a, b)
    assert chains["chain"].nunique() == 2 and chains.groupby("chain").size().tolist() == [4, 4]
    assert chains.groupby("chain")["position"].agg(sorted).tolist() == [[0, 1, 2, 3]] * 2
    assert chains["ambiguous"].all()


def test_link_chains_ends_where_a_recording_repeats_itself():
    a, b = halves([0, 1, 2, 0])
    ring = emotions.link_chains(a, b)
    assert ring["chain"].tolist() == [0, 0, 0] and ring["position"].tolist() == [0, 1, 2]
    assert ring["ambiguous"].all()
    dead = emotions.link_chains(np.zeros((3, 2)), -np.zeros((3, 2)))
    assert dead["ambiguous"].all() and dead["chain"].nunique() == 3


def test_blob_id_is_gits(table_file):
    command = ["git", "hash-object", "--no-filters", str(table_file)]
    git = subprocess.run(command, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("git is not there")
    assert emotions.blob_id(table_file) == git.stdout.strip()


def test_copied_columns_are_732_true_copies(features):
    copies = emotions.copied_columns()
    assert len(copies) == 732 and copies["column"].is_unique
    assert not set(copies["column"]) & set(copies["original"])
    frame = pd.DataFrame(features.X, columns=features.names)
    scale = np.abs(features.X).max()
    original = frame[copies["original"]].to_numpy()
    np.testing.assert_allclose(frame[copies["column"]], original, atol=1e-12 * scale)


def test_check_reports_identity_constants_and_chains(table_file):
    report = emotions.check(table_file)
    text = report.text()
    assert report.ok and "different from the published file" in text
    assert "30 rows x 2548 columns: 10 NEGATIVE, 10 NEUTRAL, 10 POSITIVE" in text
    assert "entropy4_a" in text and "3 chains of 10-10 rows, each of one label" in text


def test_check_sees_a_label_that_was_changed(table_file):
    change(table_file, 3, lambda line: line.replace("NEGATIVE", "X").replace("NEUTRAL", "NEGATIVE")
           .replace("POSITIVE", "NEUTRAL").replace("X", "POSITIVE"))
    assert "1 of them with several labels" in emotions.check(table_file).text()


@pytest.mark.parametrize("line, edit, message", [
    (4, set_column("max_3_b", "abc"), "line 4, column max_3_b: expected a finite number, found 'abc'"),
    (4, set_column("max_3_b", ""), "line 4, column max_3_b: expected a finite number, found ''"),
    (4, set_column("max_3_b", "inf"), "line 4, column max_3_b: expected a finite number, found 'inf'"),
    (4, set_column("max_3_b", "nan"), "line 4, column max_3_b: expected a finite number, found 'nan'"),
    (4, lambda line: line[: len(line) // 2], "line 4: expected 2549 fields, found"),
    (4, lambda line: line + ",1", "line 4: expected 2549 fields, found 2550"),
    (4, lambda line: line.rsplit(",", 1)[0] + ",HAPPY", "line 4: expected a label of NEGATIVE,"),
    (4, set_column("fft_4_a", "123456"), "line 4: column fft_4_a must repeat fft_1_a"),
    (4, set_column("covmat_12_b", "-9e12"), "line 4: column covmat_12_b must repeat covmat_1_b"),
    (1, lambda line: line.replace("max_3_b", "max_9_b"), "is 'max_9_b' instead of 'max_3_b'"),
    (1, lambda line: line.replace("# ", ""), "column 1 is 'mean_0_a' instead of '# mean_0_a'"),
    (1, lambda line: line.replace(",label", ""), "found 2548; the first 2548 are right"),
])
def test_a_faulty_table_is_refused(table_file, line, edit, message):
    change(table_file, line, edit)
    assert message in fault_of(table_file)


def test_missing_and_empty_tables_are_refused(tmp_path):
    assert "no such file" in fault_of(tmp_path / "emotions.csv")
    (tmp_path / "emotions.csv").write_text("")
    assert "expected 2549 columns" in fault_of(tmp_path / "emotions.csv")
    (tmp_path / "emotions.csv").write_text(f"# {','.join(column_names(2548))},label\n")
    assert "no rows" in fault_of(tmp_path / "emotions.csv")


def test_write_refuses_other_labels_and_columns(features, tmp_path):
    other = features.select(range(len(features)))
    other.table = other.table.assign(label="calm")
    with pytest.raises(DatasetError, match="found labels CALM"):
        emotions.write_table(other, tmp_path / "emotions.csv", 0)
    other = features.select(range(len(features)))
    other.X, other.names = other.X[:, :4], other.names[:4]
    with pytest.raises(DatasetError, match="found 4 columns"):
        emotions.write_table(other, tmp_path / "emotions.csv", 0)
    assert not list(tmp_path.iterdir())


# ---- datasets by name ----

def test_available_names_every_dataset_with_its_licence():
    facts = datasets.available()
    assert {"muse", "emotions"} <= set(facts.index)
    assert facts.loc["emotions", "licence"].startswith("no open licence")
    assert "alexandrebarachant/muse-lsl" in facts.loc["muse", "source"]
    assert "53c07a324ee43902beb373db8062fad532d520bb" in facts.loc["muse", "source"]


def test_load_and_check_recognise_by_name_and_by_content(table_file, monkeypatch):
    monkeypatch.setenv("EEGEMO_DATA", str(table_file.parent.parent))
    folder = table_file.parent.name
    assert len(datasets.load("emotions", f"{folder}/emotions.csv")) == 30
    assert datasets.check(folder).name == datasets.check(f"{folder}/emotions.csv").name == "emotions"
    assert datasets.check(folder, name="muse").name == "muse"
    monkeypatch.setenv("EEGEMO_DATA", str(table_file.parent))
    assert len(datasets.load("emotions")) == 30


def test_relative_paths_start_from_eegemo_data_then_from_here(tmp_path, monkeypatch):
    (tmp_path / "data" / "both").mkdir(parents=True)
    (tmp_path / "here" / "both").mkdir(parents=True)
    (tmp_path / "here" / "only").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("EEGEMO_DATA", str(tmp_path / "data"))
    assert datasets.resolve_root("both") == tmp_path / "data" / "both"
    assert datasets.resolve_root("only").absolute() == tmp_path / "here" / "only"
    assert datasets.resolve_root(tmp_path / "here") == tmp_path / "here"
    with pytest.raises(DatasetError, match="none: no such file or folder; .*data/none, .*here/none"):
        datasets.resolve_root("none")
    assert datasets.resolve_root(".").absolute() == datasets.resolve_root("./").absolute() == tmp_path / "here"
    assert datasets.resolve_root("./both").absolute() == tmp_path / "here" / "both"
    assert datasets.resolve_root("../here").resolve() == tmp_path / "here"
    monkeypatch.delenv("EEGEMO_DATA")
    assert str(datasets.check(".", name="deap").path) == "."
    with pytest.raises(DatasetError, match="looked for [^,]*here/none[.]$"):
        datasets.resolve_root("./none")


def test_unknown_names_and_unset_folder_are_said(monkeypatch):
    monkeypatch.delenv("EEGEMO_DATA", raising=False)
    with pytest.raises(DatasetError, match="no dataset is called 'deep'; there are .*muse, emotions"):
        datasets.load("deep")
    with pytest.raises(DatasetError, match="set EEGEMO_DATA"):
        datasets.load("muse")
    with pytest.raises(DatasetError, match="EEGEMO_DATA, .* is not set"):
        datasets.load("muse", "nowhere")
