"""``eegemo audit`` on predictions that a plain scikit-learn script saved."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, KFold

from eegemo_utils.audit import PredictionsError, check_predictions, leaks, read_predictions
from eegemo_utils.cli import main


def predictions(cv, n_people=8, n_trials=6, n_windows=5, effect=0.0):
    """What a user's script saves: a table of windows with fold and prediction."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame([(f"p{p}", t, w, "calm" if t % 2 else "tense")
                          for p in range(n_people) for t in range(n_trials) for w in range(n_windows)],
                         columns=["subject", "trial", "window", "label"])
    trial = table.groupby(["subject", "trial"]).ngroup()
    X = rng.normal(size=(n_people * n_trials, 40))[trial] + 0.4 * rng.normal(size=(len(table), 40))
    X[:, 0] += effect * (table["label"] == "calm")
    for fold, (train, test) in enumerate(cv.split(X, groups=table["subject"])):
        model = LinearDiscriminantAnalysis().fit(X[train], table["label"][train])
        table.loc[test, "fold"] = fold
        table.loc[test, "predicted"] = model.predict(X[test])
        table.loc[test, [f"p_{name}" for name in model.classes_]] = model.predict_proba(X[test])
    return table


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions")
    paths = folder / "leaky.csv", folder / "honest.csv", folder / "better.parquet"
    predictions(KFold(5, shuffle=True, random_state=0)).to_csv(paths[0], index=False)
    predictions(GroupKFold(4)).to_csv(paths[1], index=False)
    predictions(GroupKFold(4), effect=3).to_parquet(paths[2])
    return paths


def test_the_leak_is_named_and_counted_and_the_honest_file_has_none(files):
    leaky, honest = (leaks(read_predictions(path)).set_index("what") for path in files[:2])
    assert leaky.loc["trial", "n_rows"] > 200 and leaky.loc["person", "n_rows"] == 240
    assert honest["n_rows"].tolist() == [0, 0]


def test_the_command_writes_a_page_and_says_the_same(files, tmp_path, capsys):
    assert main(["audit", *map(str, files), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    facts = json.loads((tmp_path / "out" / "audit.json").read_text())
    page = (tmp_path / "out" / "index.html").read_text()
    scores = {file["name"]: file["scores"][0] for file in facts["files"]}
    assert scores["leaky"]["accuracy"] > 0.75 and abs(scores["honest"]["accuracy"] - 0.5) < 0.12
    assert scores["better"]["accuracy"] > 0.8 and scores["better"]["p"] < 0.01 < scores["honest"]["p"]
    assert "Leak: " in said and "No leak found; looked for: trial, person." in said
    pairs = {pair["files"]: pair for pair in facts["comparisons"]}
    assert pairs["leaky - honest"]["low"] > 0.1 and pairs["honest - better"]["high"] < 0
    assert pairs["leaky - honest"]["p"] == pytest.approx(3 * 2 / 2**8) or pairs["leaky - honest"]["p"] < 0.05
    assert "is recognised again" in page and not re.search(r'(src|href)="(?!data:|#)', page)
    assert {item["what"]: item["done"] for item in facts["files"][1]["checklist"]}[
        "tested people were not trained on"] == "yes"
    assert main(["audit", str(files[1]), "--out", str(tmp_path / "out")]) == 0  # over an older report


def test_overlapping_windows_are_found_by_their_times():
    table = predictions(GroupKFold(4))
    table["start"], table["stop"] = table["window"] * 0.5, table["window"] * 0.5 + 1.0
    table["fold"] = table["window"] % 2
    assert leaks(check_predictions(table)).set_index("what").loc["overlapping window", "n_rows"] == len(table)
    table["stop"] = table["start"] + 0.5
    assert leaks(check_predictions(table)).set_index("what").loc["overlapping window", "n_rows"] == 0


@pytest.mark.parametrize(("change", "line"), [
    (lambda t: t.drop(columns="subject"), "No column subject"),
    (lambda t: t.drop(columns="trial"), "No column trial"),
    (lambda t: t.drop(columns="fold"), "the split is not known"),
    (lambda t: t.assign(p_calm=0.9, p_tense=0.9), "Probabilities of 240 rows are missing, negative or do not sum to 1"),
    (lambda t: t.rename(columns={"p_calm": "p_relaxed"}), "do not fit the classes calm, tense"),
    (lambda t: t.assign(label=t["label"].where(t.index > 9)), "10 rows without a label or a prediction"),
    (lambda t: t.assign(subject=t["subject"].where(t.index > 9)), "Column subject is empty in 10 rows"),
    (lambda t: pd.concat([t, t[:7]]), "7 rows name a window that stands in the file before"),
    (lambda t: t.assign(subject="p0", trial=t.index // 5), "One person"),
    (lambda t: t.assign(trial=0, window=t.index), "One trial per person"),
    (lambda t: t.assign(label=t["label"].where(t.index > 9, "rare")), "stand in one fold only"),
])
def test_what_is_wrong_with_a_file_is_one_line(change, line):
    found = check_predictions(change(predictions(GroupKFold(4))))
    assert any(line in note for note in found.notes), found.notes


def test_a_file_that_cannot_be_used_is_named(files, tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    bad.write_text("label;answer\n1;2\n")
    assert main(["audit", str(bad), "--out", str(tmp_path / "out")]) == 2
    assert "bad.csv: expected the columns label and predicted, found label, answer" in capsys.readouterr().err
    bad.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(PredictionsError, match="cannot be read as csv or parquet"):
        read_predictions(bad)
    bad.write_text("label,predicted\n,\n")
    with pytest.raises(PredictionsError, match="no row with a label and a prediction"):
        read_predictions(bad)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert main(["audit", str(files[0]), "--out", str(tmp_path / "full")]) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert main(["audit", str(files[0]), str(files[0]), "--out", str(tmp_path / "two")]) == 2
    assert "different names" in capsys.readouterr().err and not (tmp_path / "two").exists()


def test_semicolons_and_hostile_names_are_read_as_text(tmp_path):
    table = predictions(GroupKFold(4)).assign(subject=lambda t: "<script>" + t["subject"])
    table.to_csv(tmp_path / "excel.csv", sep=";", index=False)
    assert main(["audit", str(tmp_path / "excel.csv"), "--out", str(tmp_path / "out")]) == 0
    assert "<script>" not in (tmp_path / "out" / "index.html").read_text()
