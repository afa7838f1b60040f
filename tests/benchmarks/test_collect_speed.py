"""`collect` on 10,000 run folders of realistic files: reading, the table, the tables over it, all written."""

import json

import numpy as np
import pytest

pytest.importorskip("pytest_benchmark")

from eegemo_utils.collect import collect, write_tables  # noqa: E402
from tests import made_runs  # noqa: E402

PAPERS, PROTOCOLS = ("gru", "gmss", "multitask_cnn", "tnas", "labram"), ("published", "by_trial", "by_subject", "none")
AUDIT = ("accuracy_published", "accuracy_by_trial", "accuracy_by_subject", "chance", "majority")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """5 papers x 4 protocols x 20 people x 25 seeds, 35 metrics, 22 parameters and 20 facts each."""
    folder, rng = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    for i in range(10_000):
        paper, protocol, subject, seed = PAPERS[i % 5], PROTOCOLS[i // 5 % 4], i // 20 % 20, i // 400
        names = [*AUDIT, *(f"{paper}_quantity_{k}" for k in range(30))]
        parameters = {f"{paper}_option_{k}": k / 3 for k in range(18)}
        provenance = {f"package-{k}": f"1.{k}.0" for k in range(20)}
        made_runs.finished(folder / f"{paper}-{i:05d}", paper, dict(zip(names, rng.random(35))), provenance=provenance,
                           dataset="deap", subject=f"s{subject:02d}", seed=seed, protocol=protocol, **parameters)
    return folder


def test_collect_ten_thousand_runs(many, benchmark, tmp_path):
    def work():
        collection = collect(many)
        write_tables(collection.table, tmp_path)
        return collection

    collection = benchmark.pedantic(work, rounds=1)
    assert len(collection.table) == 10_000 and (collection.table["status"] == "done").all()
    assert not collection.problems
    benchmark.extra_info["bytes of json a run"] = len(json.dumps(collection.table.iloc[0].to_dict(), default=str))
