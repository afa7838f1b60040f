"""The papers' numbers: consistent with each other, checked on reading, honest about comparability."""

import numpy as np
import pandas as pd
import pytest
import yaml

from eegemo_utils import reported as module
from eegemo_utils.reported import beside, read, reported

PAPERS = sorted(path.stem for path in module.FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_file_can_be_read(paper):
    found = reported(paper)
    assert found.paper == paper and len(found) > 0
    assert all(quantity.certainty in ("confirmed", "second-hand") for quantity in found.values())


def test_the_gru_numbers_agree_with_each_other():
    value = {name: quantity.value for name, quantity in reported("gru").items()}
    matrix = np.array(value["confusion"])
    assert matrix.sum() == value["n_test"] == 640 and np.trace(matrix) == 597
    assert value["accuracy_published"] == pytest.approx(597 / 640, abs=5e-6)
    for k, row in enumerate(value["report"][:3]):
        precision, recall = matrix[k, k] / matrix[:, k].sum(), matrix[k, k] / matrix[k].sum()
        assert (row["precision"], row["recall"]) == pytest.approx((precision, recall), abs=0.0051)
        assert row["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=0.0051)
        assert row["support"] == matrix[k].sum()
    assert value["n_params_gru"] == 3 * (256 + 256 * 256 + 2 * 256)
    assert value["n_params_dense"] == 2548 * 256 * 3 + 3
    assert value["n_params_total"] == value["n_params_gru"] + value["n_params_dense"] == 2155779
    assert value["n_fit"] + value["n_val"] == value["n_train"] == value["n_rows"] - value["n_test"]
    assert sum(value["label_counts"].values()) == value["n_rows"]
    log = pd.DataFrame(value["log"])
    assert log.epoch.tolist() == list(range(1, value["stopped_epoch"] + 1))
    best = log.loc[log.val_loss.idxmin()]
    assert (best.epoch, best.val_loss, best.val_accuracy) == (
        value["best_epoch"], value["val_loss_best"], value["val_accuracy_best"])


def test_the_multi_task_cnn_s_comparison_is_the_readme_s_and_says_so():
    numbers = reported("multitask_cnn")
    table = numbers["literature"]
    assert "README" in table.source and table.what.startswith("the README's table on DEAP")
    rows = pd.DataFrame(table.value).set_index("model")
    for target in ("valence", "arousal"):
        assert rows.loc["MT-CNN as published", target] == numbers[f"accuracy_{target}"].value
        assert rows.loc["MT-CNN as updated", target] == numbers[f"accuracy_{target}_updated"].value


def test_others_are_all_second_hand():
    others = reported("gru").others
    assert len(others) == 14 and set(others.certainty) == {"second-hand"}
    assert others.value.between(0, 1).all() and (others.evaluation != "").all()


def test_beside_computes_a_difference_only_where_it_means_something():
    run = {"accuracy_published": 0.9, "n_rows": 2132, "accuracy_by_trial": 0.5}
    table = beside("gru", run, data="simulated Muse cohort", comparable=False)
    assert list(table) == ["quantity", "paper", "source", "certainty", "this run", "difference"]
    assert table.difference["accuracy_published"] == "not comparable: simulated Muse cohort"
    assert table.paper["accuracy_by_trial"] == "not reported"
    assert table["this run"].tolist() == list(run.values())
    table = beside("gru", run, data="emotions.csv", comparable=True)
    assert table.difference["accuracy_published"] == pytest.approx(-0.03281)
    assert table.certainty["n_rows"] == "confirmed" and "maz-13" in table.source["n_rows"]


def test_beside_refuses_a_table():
    with pytest.raises(ValueError, match="'confusion' as a list"):
        beside("gru", {"confusion": 1}, "x", True)


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(ValueError, match="'grru'.*gru"):
        reported("grru")
    with pytest.raises(KeyError, match="accuracy_published"):
        reported("gru")["accuracy"]


def edited(change):
    content = {"paper": "x", "citation": "c", "sources": {"s": "a page"}, "quantities": {
        "accuracy": {"value": 0.5, "what": "accuracy", "source": "s", "certainty": "confirmed"}}}
    change(content, content["quantities"]["accuracy"])
    return content


@pytest.mark.parametrize("change, message", [
    (lambda c, q: q.pop("source"), "accuracy: missing source"),
    (lambda c, q: q.update(certainty="remembered"), "certainty 'remembered'"),
    (lambda c, q: q.update(source="t"), "'t' is not listed.*: s"),
    (lambda c, q: q.update(units="s"), "unknown units; allowed: .*unit"),
    (lambda c, q: c.pop("citation"), "missing citation"),
    (lambda c, q: c.update(paper="y"), "'y'"),
    (lambda c, q: c["quantities"].update(Accuracy=q), "snake_case"),
    (lambda c, q: c["quantities"].update(accuracy=0.5), "expected keys and values, found float"),
    (lambda c, q: c.update(others=[{"who": "me"}]), r"others\[0\]: missing")])
def test_a_wrong_file_is_explained(tmp_path, change, message):
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(edited(lambda c, q: None)))
    assert read(path)["accuracy"].value == 0.5
    path.write_text(yaml.safe_dump(edited(change)))
    with pytest.raises(ValueError, match=f"x.yaml.*{message}"):
        read(path)


def test_text_that_is_not_yaml_is_explained(tmp_path):
    (tmp_path / "x.yaml").write_text("paper: [gru")
    with pytest.raises(ValueError, match="x.yaml: not valid yaml"):
        read(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text("")
    with pytest.raises(ValueError, match="found NoneType"):
        read(tmp_path / "x.yaml")
